/* Starts Model Lab on Windows: the Python beside it, with our package, and the arguments as they are.
   Built twice: "Model Lab.exe" has no console; modellab.exe (with -DCONSOLE) is for the command
   line, waits, and ends with the program's exit status. Both wait, so that a taskbar entry and a
   smoke test belong to the process that was started. */
#ifndef UNICODE
#define UNICODE
#endif
#ifndef _UNICODE
#define _UNICODE
#endif
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static int fail(const wchar_t *sentence) {
#ifdef CONSOLE
    fwprintf(stderr, L"%ls\n", sentence);
#else
    MessageBoxW(NULL, sentence, L"Model Lab", MB_OK | MB_ICONERROR);
#endif
    return 1;
}

/* What follows the program's own name on its command line, quoting and all. */
static const wchar_t *arguments(const wchar_t *line) {
    if (*line == L'"') {
        for (line++; *line && *line != L'"'; line++) {}
        if (*line) line++;
    } else {
        while (*line && *line != L' ' && *line != L'\t') line++;
    }
    while (*line == L' ' || *line == L'\t') line++;
    return line;
}

int wmain(void) {
    wchar_t folder[32768];
    DWORD length = GetModuleFileNameW(NULL, folder, 32768);
    if (length == 0 || length >= 32768) return fail(L"Model Lab cannot tell where it is installed.");
    wchar_t *last = wcsrchr(folder, L'\\');
    if (last == NULL) return fail(L"Model Lab cannot tell where it is installed.");
    *last = 0;

    const wchar_t *rest = arguments(GetCommandLineW());
    size_t room = wcslen(folder) + wcslen(rest) + 64;
    wchar_t *line = malloc(room * sizeof(wchar_t));
    if (line == NULL) return fail(L"There is not enough memory to start Model Lab.");
#ifdef CONSOLE
    const wchar_t *python = L"python.exe";
#else
    const wchar_t *python = L"pythonw.exe";
#endif
    swprintf(line, room, L"\"%ls\\python\\%ls\" -I -m modellab %ls", folder, python, rest);

    STARTUPINFOW start;
    PROCESS_INFORMATION process;
    ZeroMemory(&start, sizeof start);
    start.cb = sizeof start;
    /* Handles are handed on by name: without them Python ends with 120 when it flushes. */
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
    start.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
    start.hStdError = GetStdHandle(STD_ERROR_HANDLE);
    if (!CreateProcessW(NULL, line, NULL, NULL, TRUE, 0, NULL, NULL, &start, &process))
        return fail(L"Model Lab cannot start: its files are not complete. Install it again.");
    free(line);
    WaitForSingleObject(process.hProcess, INFINITE);
    DWORD status = 1;
    GetExitCodeProcess(process.hProcess, &status);
    return (int)status;
}

#ifndef CONSOLE
int WINAPI wWinMain(HINSTANCE a, HINSTANCE b, PWSTR c, int d) {
    (void)a; (void)b; (void)c; (void)d;
    return wmain();
}
#endif
