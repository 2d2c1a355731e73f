# SPDX-License-Identifier: FSFAP
# GOTGT_CC_FLAG(FLAG, VAR): append FLAG to VAR if the compiler takes it.
AC_DEFUN([GOTGT_CC_FLAG], [
  AC_MSG_CHECKING([whether $CC accepts $1])
  gotgt_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes]); $2="$$2 $1"], [AC_MSG_RESULT([no])])
  CFLAGS=$gotgt_save_CFLAGS
])
# GOTGT_LD_FLAG(FLAG, VAR): likewise for the linker.
AC_DEFUN([GOTGT_LD_FLAG], [
  AC_MSG_CHECKING([whether the linker accepts $1])
  gotgt_save_LDFLAGS=$LDFLAGS
  LDFLAGS="$LDFLAGS $1"
  AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes]); $2="$$2 $1"], [AC_MSG_RESULT([no])])
  LDFLAGS=$gotgt_save_LDFLAGS
])
AC_DEFUN([GOTGT_WARNINGS], [
  m4_foreach_w([gotgt_flag], [-Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
    -Wpointer-arith -Wundef -Wcast-align -Wwrite-strings -Wformat=2 -Wno-unused-parameter
    -Wno-missing-field-initializers],
    [GOTGT_CC_FLAG(gotgt_flag, [$1])])
])
# GOTGT_PKG(VAR, MODULE, PACKAGES): pkg-config's module, or an error that names the packages.
AC_DEFUN([GOTGT_PKG], [
  PKG_CHECK_MODULES([$1], [$2], [], [AC_MSG_ERROR([$2 not found: install $3])])
])
# GOTGT_LTO(CFLAGS-VAR, LDFLAGS-VAR, NOT-LDFLAGS-VAR, [OTHERWISE]): gcc's, with objects that ar and other linkers know what to
# do with, and what keeps a program that is linked with those from being optimised so.
AC_DEFUN([GOTGT_LTO], [
  AC_MSG_CHECKING([whether $CC optimises at link time])
  gotgt_save_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror -flto=auto -ffat-lto-objects"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#ifdef __clang__
#error its objects need its own ar and linker
#endif
]])], [AC_MSG_RESULT([yes]); $1="-flto=auto -ffat-lto-objects"; $2=-flto=auto; $3=-fno-lto],
    [AC_MSG_RESULT([no]); $4])
  CFLAGS=$gotgt_save_CFLAGS
])

# GOTGT_HARDENING(CFLAGS-VAR, LDFLAGS-VAR, PIE-LDFLAGS-VAR): libtool makes objects of programs, too, for libraries,
# so that they can be linked as a PIE.  _FORTIFY_SOURCE wants optimisation, and sanitizers have checks of their own.
AC_DEFUN([GOTGT_HARDENING], [
  m4_foreach_w([gotgt_flag], [-fstack-protector-strong -fstack-clash-protection -fcf-protection -mbranch-protection=standard],
    [GOTGT_CC_FLAG(gotgt_flag, [$1])])
  AS_CASE(["$CC $CPPFLAGS $CFLAGS"],
    [*-fsanitize=*|*_FORTIFY_SOURCE*], [],
    [*-O@<:@123s@:>@*], [$1="$$1 -D_FORTIFY_SOURCE=2"])
  GOTGT_CC_FLAG([-fPIE], [$1])
  GOTGT_LD_FLAG([-Wl,-z,relro], [$2])
  GOTGT_LD_FLAG([-Wl,-z,now], [$2])
  GOTGT_LD_FLAG([-Wl,-z,noexecstack], [$2])
  GOTGT_LD_FLAG([-pie], [$3])
])
