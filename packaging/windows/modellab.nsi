; The installer for one person on 64-bit Windows: no administrator, nothing outside the person's
; own folders and registry. Compiled by packaging/windows_setup.py with
;   -DVERSION -DNUMBERS -DPAYLOAD -DOUTFILE -DICON -DLICENCES -DSIZE_KB [-DREHEARSAL] [-DQUICK]
Target amd64-unicode
Unicode true
ManifestDPIAware true
!ifdef QUICK
  SetCompressor zlib
!else
  SetCompressor /SOLID lzma
  SetCompressorDictSize 64
!endif

!define NAME "Model Lab"
!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\ModelLab"
!define CLASSES "Software\Classes"
!define EXPERIMENT "ModelLab.Experiment"
!define TABLE "ModelLab.Table"

!include "MUI2.nsh"
!include "FileFunc.nsh"
!include "LogicLib.nsh"

Name "${NAME}"
OutFile "${OUTFILE}"
RequestExecutionLevel user
InstallDir "$LOCALAPPDATA\Programs\ModelLab"
InstallDirRegKey HKCU "${UNINSTALL}" "InstallLocation"
VIProductVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "${NAME}"
VIAddVersionKey "FileDescription" "${NAME} setup"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "CompanyName" "Model Lab developers"
VIAddVersionKey "LegalCopyright" "See LICENCES.txt in the installed folder"
!ifdef REHEARSAL
  BrandingText "Rehearsal: built on Linux, not for handing out"
!else
  BrandingText "${NAME} ${VERSION}"
!endif

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_FINISHPAGE_RUN "$INSTDIR\Model Lab.exe"
!insertmacro MUI_PAGE_WELCOME
!insertmacro MUI_PAGE_LICENSE "${LICENCES}"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; Windows asks whoever shows icons and types to look again.
!macro LookAgain
  System::Call 'shell32::SHChangeNotify(i 0x08000000, i 0, p 0, p 0)'
!macroend

; The folder that was chosen may hold other things: only ours go.
!macro RemoveProgram
  RMDir /r "$INSTDIR\python"
  Delete "$INSTDIR\Model Lab.exe"
  Delete "$INSTDIR\modellab.exe"
  Delete "$INSTDIR\modellab.ico"
  Delete "$INSTDIR\LICENCES.txt"
  Delete "$INSTDIR\modellab.cdx.json"
  Delete "$INSTDIR\REHEARSAL.txt"
!macroend

; Offered among "Open with", never the first choice.
!macro Offer ENDING
  WriteRegNone HKCU "${CLASSES}\${ENDING}\OpenWithProgids" "${TABLE}"
!macroend
!macro OfferNoMore ENDING
  DeleteRegValue HKCU "${CLASSES}\${ENDING}\OpenWithProgids" "${TABLE}"
  DeleteRegKey /ifempty HKCU "${CLASSES}\${ENDING}\OpenWithProgids"
  DeleteRegKey /ifempty HKCU "${CLASSES}\${ENDING}"
!macroend

Function .onInit
  SetShellVarContext current
FunctionEnd

Function un.onInit
  SetShellVarContext current
FunctionEnd

Section "install"
  SetOutPath "$INSTDIR"
  ; An older version goes first: a file that a newer one no longer has must not stay.
  !insertmacro RemoveProgram
  IfErrors 0 +2
    ClearErrors
  File /r "${PAYLOAD}\*.*"
  ${If} ${Errors}
    SetErrorLevel 2
    Abort "Model Lab could not be written to $INSTDIR. Close it if it is open, and try again."
  ${EndIf}
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateShortcut "$SMPROGRAMS\Model Lab.lnk" "$INSTDIR\Model Lab.exe"

  WriteRegStr HKCU "${CLASSES}\.mlab" "" "${EXPERIMENT}"
  WriteRegStr HKCU "${CLASSES}\${EXPERIMENT}" "" "Model Lab experiment"
  WriteRegStr HKCU "${CLASSES}\${EXPERIMENT}\DefaultIcon" "" "$INSTDIR\Model Lab.exe,0"
  WriteRegStr HKCU "${CLASSES}\${EXPERIMENT}\shell\open\command" "" '"$INSTDIR\Model Lab.exe" "%1"'
  WriteRegStr HKCU "${CLASSES}\${TABLE}" "" "Table"
  WriteRegStr HKCU "${CLASSES}\${TABLE}" "FriendlyTypeName" "Table"
  WriteRegStr HKCU "${CLASSES}\${TABLE}\shell\open\command" "" '"$INSTDIR\Model Lab.exe" "%1"'
  !insertmacro Offer ".csv"
  !insertmacro Offer ".parquet"
  !insertmacro Offer ".arff"

  WriteRegStr HKCU "${UNINSTALL}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayIcon" "$INSTDIR\Model Lab.exe,0"
  WriteRegStr HKCU "${UNINSTALL}" "Publisher" "Model Lab developers"
  WriteRegStr HKCU "${UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL}" "EstimatedSize" ${SIZE_KB}
  WriteRegDWORD HKCU "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL}" "NoRepair" 1
  !insertmacro LookAgain
SectionEnd

; Preferences and experiments stay.
Section "Uninstall"
  !insertmacro RemoveProgram
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\Model Lab.lnk"
  ReadRegStr $0 HKCU "${CLASSES}\.mlab" ""
  ${If} $0 == "${EXPERIMENT}"
    DeleteRegValue HKCU "${CLASSES}\.mlab" ""
  ${EndIf}
  DeleteRegKey /ifempty HKCU "${CLASSES}\.mlab"
  DeleteRegKey HKCU "${CLASSES}\${EXPERIMENT}"
  DeleteRegKey HKCU "${CLASSES}\${TABLE}"
  !insertmacro OfferNoMore ".csv"
  !insertmacro OfferNoMore ".parquet"
  !insertmacro OfferNoMore ".arff"
  DeleteRegKey HKCU "${UNINSTALL}"
  !insertmacro LookAgain
SectionEnd
