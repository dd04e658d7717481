/* elf.h: looks at a shared library's file before the dynamic linker maps it.
 *
 * dlopen() trusts the file: one that was cut short (a full disk, a copy that was interrupted) ends the process with SIGBUS
 * when its missing part is touched, and its words for other files ("invalid ELF header") say little.
 *
 * Linux and other systems with ELF only; a port to another has its own elf.c, or one that finds every file good.
 */
#ifndef EVPIPE_PLUGIN_ELF_H
#define EVPIPE_PLUGIN_ELF_H

/* NULL: it may be given to dlopen(). Else what is wrong with it. */
const char *elf_check(const char *path);

#endif
