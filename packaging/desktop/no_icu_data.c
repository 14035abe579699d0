/* ICU's data library with nothing in it (30 MB less). Qt links ICU for converting texts of old
   encodings and for sorting by languages' rules; the program does neither through Qt, and Qt goes
   on without where ICU has no data. Compiled by packaging/freeze.py with -DNAME=icudtNN_dat. */
#include <stdint.h>

typedef struct {
    uint16_t header_size;
    uint8_t magic1, magic2;
    uint16_t info_size, reserved;
    uint8_t big_endian, charset, unit_size, reserved_too;
    uint8_t format[4], format_version[4], data_version[4];
    uint8_t padding[8];
    uint32_t count; /* of the table of contents */
    uint32_t nothing[3];
} common_data;

__attribute__((visibility("default"))) const common_data NAME __attribute__((aligned(16))) = {
    32, 0xda, 0x27, 20, 0, 0, 0, 2, 0, {'C', 'm', 'n', 'D'}, {1, 0, 0, 0}, {1, 0, 0, 0},
    {0}, 0, {0}
};
