/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine.c - no new privileges, and a seccomp filter that refuses what a target never does.
 *
 * It names what is refused, not what is allowed: plugins, GLib, libsoup and the C library call whatever they like of what
 * does no harm, and the next release of any of them something new.  Nothing but clone() is looked at by its arguments, so
 * that the kernel keeps for each other call that it is allowed and does not run the filter for it.
 */
#include "config.h"
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif
#include "engine/sanitized.h"
#include "lib/confine.h"

#define FAIL(...) g_set_error(error, g_quark_from_static_string("gotgt-confine-error"), 0, __VA_ARGS__)

#ifdef HAVE_SECCOMP
/* By name: those that the library or the architecture does not know are not there to be called. */
static const struct {
	const char *name;
	bool sanitizers;	/* need it: to trace the process for leaks, and to have reports made readable */
} refused[] = {
	{ "execve", true }, { "execveat", true }, { "ptrace", true },
	{ "process_vm_readv" }, { "process_vm_writev" }, { "process_madvise" }, { "pidfd_getfd" }, { "kcmp" },
	{ "mount" }, { "umount" }, { "umount2" }, { "pivot_root" }, { "chroot" }, { "move_mount" }, { "open_tree" },
	{ "fsopen" }, { "fsconfig" }, { "fsmount" }, { "fspick" }, { "mount_setattr" },
	{ "unshare" }, { "setns" },
	{ "init_module" }, { "finit_module" }, { "delete_module" }, { "kexec_load" }, { "kexec_file_load" },
	{ "bpf" }, { "perf_event_open" }, { "userfaultfd" }, { "add_key" }, { "request_key" }, { "keyctl" },
	{ "setuid" }, { "setgid" }, { "setreuid" }, { "setregid" }, { "setresuid" }, { "setresgid" }, { "setgroups" },
	{ "setfsuid" }, { "setfsgid" }, { "setuid32" }, { "setgid32" }, { "setreuid32" }, { "setregid32" },
	{ "setresuid32" }, { "setresgid32" }, { "setgroups32" }, { "setfsuid32" }, { "setfsgid32" }, { "capset" },
	{ "reboot" }, { "swapon" }, { "swapoff" }, { "acct" }, { "quotactl" }, { "quotactl_fd" }, { "syslog" },
	{ "settimeofday" }, { "clock_settime" }, { "clock_settime64" }, { "clock_adjtime" }, { "clock_adjtime64" },
	{ "adjtimex" }, { "stime" }, { "sethostname" }, { "setdomainname" }, { "personality", true },
	{ "iopl" }, { "ioperm" }, { "modify_ldt" }, { "vhangup" }, { "nfsservctl" }, { "lookup_dcookie" },
	{ "open_by_handle_at" }, { "name_to_handle_at" }, { "fanotify_init" }, { "uselib" }, { "ustat" }, { "sysfs" },
	{ "_sysctl" }, { "vm86" }, { "vm86old" },
};

static int refuse(scmp_filter_ctx f, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	return nr == __NR_SCMP_ERROR || nr < 0 ? 0 : seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), nr, 0);
}

/*
 * Namespaces are flags of clone(), which threads need.  Those of clone3() are in memory, where no filter can look: the C
 * library makes its threads by clone() where there is no clone3().
 */
static int refuse_namespaces(scmp_filter_ctx f)
{
	static const unsigned flags[] = { CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
					  CLONE_NEWPID, CLONE_NEWNET };
	int nr = seccomp_syscall_resolve_name("clone3");
	int r = nr < 0 ? 0 : seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), nr, 0);

	for (size_t i = 0; i < G_N_ELEMENTS(flags) && !r; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
	return r;
}

/* Other architectures' calls, i386 and x32 among them, have other numbers: none of them. */
static int filter_fill(scmp_filter_ctx f)
{
	int r = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));

	if (!r)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; i < G_N_ELEMENTS(refused) && !r; i++)
		if (!SANITIZED || !refused[i].sanitizers)
			r = refuse(f, refused[i].name);
	return r ? r : refuse_namespaces(f);
}

static bool filter_load(GError **error)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int r = f ? filter_fill(f) : -ENOMEM;

	if (!r)
		r = seccomp_load(f);
	if (f)
		seccomp_release(f);
	if (r)
		FAIL("system calls are not filtered: %s", g_strerror(-r));
	return !r;
}
#else
static bool filter_load(GError **error)
{
	FAIL("system calls are not filtered: this build has no libseccomp");
	return false;
}
#endif

bool confine_start(enum confine confine, bool *whole, char **state, GError **error)
{
	g_autoptr(GError) why = NULL;
	bool ok;

	*whole = true;
	if (confine == CONFINE_OFF) {
		*state = g_strdup("not confined, as confine = \"off\" says");
		return true;
	}
	ok = !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!ok)
		g_set_error(&why, G_FILE_ERROR, 0, "new privileges cannot be ruled out: %s", g_strerror(errno));
	ok = ok && filter_load(&why);
	if (!ok && confine == CONFINE_REQUIRED) {
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "confine = \"required\": ");
		return false;
	}
	*whole = ok;
	*state = ok ? g_strdup("confined: no new privileges, system calls filtered") :
		      g_strdup_printf("not wholly confined: %s", why->message);
	return true;
}
