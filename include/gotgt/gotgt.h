/* SPDX-License-Identifier: MIT */
/*
 * gotgt/gotgt.h - an iSCSI target inside a program of yours.  See libgotgt(3).
 *
 *	struct gotgt_server *s = gotgt_server_new();
 *	gotgt_portal_add(s, NULL, "127.0.0.1", 3260);
 *	gotgt_target_add(s, "iqn.2010-01.org.example:disk");
 *	gotgt_lun_add_store(s, "iqn.2010-01.org.example:disk", 0, store);
 *	gotgt_server_start(s);
 *
 * A server is described first, with gotgt_portal_add(), gotgt_target_add() and their like, and then started.
 * The same calls describe changes of a server that runs; gotgt_server_apply() then makes all of them at once,
 * or none.
 *
 * Errors: a function that returns int returns 0, or a negative errno, and then gotgt_last_error() says in one
 * line what was wrong: -EINVAL what was asked for is wrong in itself, -ENOENT it is not there, -EEXIST it is
 * there already, -EBUSY not now, -ESTALE a file was written by somebody else since, -EDEADLK not from a callback, -EIO it could not be done: an address that is
 * taken, a device that does not open.  A call that fails changes nothing.  As with GLib, which is used within,
 * a process that has no memory left ends.
 *
 * Threads: each function may be called by any thread; calls for one server wait for each other.  None but those
 * marked [callback] may be called from a callback or a plugin's function.  A server does all its work on threads
 * of its own: one for each CPU for connections ("reactors"), and up to "workers" for stores that block.  They
 * take no signals.  Nothing is kept in common by two servers of a process but the plugins that were loaded.
 * A callback can come while a call for the server is under way: make none with a lock held that callbacks take.
 *
 * The process stays as it is: no signal handler, no exit(), no change of umask, locale or working directory, and
 * not a word on standard error.
 *
 * Ownership: strings and structs given are copied, unless it says otherwise.  Strings are UTF-8 and end with NUL.
 *
 * Binaries keep working: functions are added, never changed; a struct starts with its size, grows at the end, and
 * a field that is not there means what zero does.  All there is was there in version 0.1, unless it says "since".
 */
#ifndef GOTGT_GOTGT_H
#define GOTGT_GOTGT_H

#include <stddef.h>
#include <stdint.h>
#include <gotgt/plugin.h>
#include <gotgt/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gotgt_server;
struct gotgt_store;

/* The version of the library that runs, "0.1.0"; GOTGT_VERSION is that of the header.  [callback] */
GOTGT_EXPORT const char *gotgt_version(void);
/* What was wrong with this thread's last call that failed; "" before.  Valid until its next one.  [callback] */
GOTGT_EXPORT const char *gotgt_last_error(void);

/* ---- servers ---- */

/* A server that has nothing.  Never NULL. */
GOTGT_EXPORT struct gotgt_server *gotgt_server_new(void);
/* Stop it without grace if it runs, and free all of it.  No other call for it may be under way.  NULL does nothing. */
GOTGT_EXPORT void gotgt_server_free(struct gotgt_server *server);

/*
 * A setting of gotgt.conf(5)'s top level by its name and as text: "reactors", "workers", "state-dir", "log-level",
 * "chap-algorithms", "fips", "short-secrets"; of a group with its name before: "limits.queue-depth",
 * "iscsi.max-burst-length" (before targets, which start from it).  A list is separated by commas.  NULL: the default,
 * as far as the setting has one.  What gotgt.conf(5) says takes effect at the next start does so here.  Unlike the
 * daemon's, a server without "state-dir" keeps no reservations; each server wants a folder of its own.
 */
GOTGT_EXPORT int gotgt_server_set(struct gotgt_server *server, const char *name, const char *value);

/* One line, without a newline.  On any thread of the server, several at once; or see gotgt_server_fd(). */
typedef void gotgt_log_fn(void *data, enum gotgt_log_level level, const char *line);
/* Who is told what the server and its plugins log, up to "log-level"; NULL, the default: nobody.  Not while it runs. */
GOTGT_EXPORT int gotgt_server_set_log(struct gotgt_server *server, gotgt_log_fn *log, void *data);

/*
 * Folders where plugins are looked for, separated by colons, before the one of the installation.  The environment is
 * not asked.  Not while it runs.
 */
GOTGT_EXPORT int gotgt_server_set_plugin_path(struct gotgt_server *server, const char *dirs);

/*
 * A plugin that is part of the program, for gotgt_lun_add(): entry is what GOTGT_PLUGIN() of <gotgt/plugin.h>
 * defines, gotgt_plugin_v1, or any function like it.  The table it returns must outlive the server.  A name of a
 * plugin in a file is then this one's.
 */
GOTGT_EXPORT int gotgt_server_add_plugin(struct gotgt_server *server,
					 const struct gotgt_plugin *(*entry)(const struct gotgt_host *host));

/*
 * yes: at the start, a logical unit that does not open is left out, with a line in the log, and the rest runs; every
 * gotgt_server_apply() tries it again.  0, the default: it is an error like any other.  Not while it runs.
 */
GOTGT_EXPORT int gotgt_server_skip_broken(struct gotgt_server *server, int yes);

/*
 * For a program that is a target and nothing else: give up for good, in the whole process, what a target has no use for,
 * as the setting "confine" of the description says; see gotgt.conf(5).  Once, before gotgt_server_start(); what it came
 * to is logged (GOTGT_LOG_INFO; with what could not be had GOTGT_LOG_WARNING).  0; -EIO, with "required", when something
 * of it is not to be had; -EBUSY when the server runs.  Nothing else in this library confines anybody.
 */
GOTGT_EXPORT int gotgt_server_confine(struct gotgt_server *server);
/* Start: bind addresses, open stores, take connections; or nothing of it.  It can be started again once stopped. */
GOTGT_EXPORT int gotgt_server_start(struct gotgt_server *server);
/*
 * Make what was described since the start, or the last time, take effect: all, or, when this fails, nothing; it stays
 * described then.  What is the same is not touched: its initiators notice nothing.  Taking away waits for commands of
 * that LUN, and up to two seconds for a target's initiators to log out.  Plugins in files look whether their size has
 * changed, even when nothing else has.
 */
GOTGT_EXPORT int gotgt_server_apply(struct gotgt_server *server);
/* Forget what was described since: the description is of what runs.  -EBUSY unless it runs. */
GOTGT_EXPORT int gotgt_server_revert(struct gotgt_server *server);

/*
 * Close the portals, let commands in flight end, ask initiators to log out and give them up to grace_ms milliseconds
 * for it, flush and close every store.  Waits for all that; 0 when it does not run.  A store's function that does not
 * return is waited for without end.
 */
GOTGT_EXPORT int gotgt_server_stop(struct gotgt_server *server, unsigned grace_ms);

/* "ADDRESS:PORT" of the n-th portal, from 0, as bound: with the port that port 0 took.  -ENOENT past the last one. */
GOTGT_EXPORT int gotgt_server_portal(struct gotgt_server *server, unsigned n, char *buf, size_t size_bytes);

/* A line of the program's own in the server's log: told as the server's are, or not, by "log-level". */
GOTGT_EXPORT int gotgt_server_log(struct gotgt_server *server, enum gotgt_log_level level, const char *line);

/* What there is, as it was when it was looked at. */
struct gotgt_info {
	size_t size;		/* in: sizeof(struct gotgt_info); out: bytes of it that the library has filled */
	uint32_t running;	/* 1 or 0; what follows is 0 then */
	uint32_t portals;	/* that are listened on */
	uint32_t targets;	/* that run */
	uint32_t luns;		/* logical units of all targets, as described */
	uint32_t luns_served;	/* and of these, those that are open: see gotgt_server_skip_broken() */
	uint32_t sessions;	/* logged in, those for discovery among them */
	uint32_t stuck;		/* 1: a thread that serves connections has done nothing since this was called before; for
				   who looks every few seconds whether the server still runs */
};
GOTGT_EXPORT int gotgt_server_info(struct gotgt_server *server, struct gotgt_info *info);

/* ---- the caller's event loop ---- */

/*
 * A file descriptor for poll(2), the same each time, that stays the server's: readable when gotgt_server_dispatch() has
 * something to do.  From the first call on, callbacks of the server itself (the log, the end of
 * gotgt_server_stop_begin()) come from gotgt_server_dispatch() alone.  Connections and stores do not: they stay on the
 * server's threads, so that what the caller's loop does never holds up a command.  Up to 1000 lines are kept; how many
 * more there were is the line after them.  Not while it runs.  Negative: an errno.
 */
GOTGT_EXPORT int gotgt_server_fd(struct gotgt_server *server);
/* Call what is due, in this thread; never waits for anything else.  The callbacks may call functions of the server. */
GOTGT_EXPORT int gotgt_server_dispatch(struct gotgt_server *server);

/*
 * gotgt_server_stop() that does not wait: stopped(data) is called at its end, from gotgt_server_dispatch(), or, without
 * gotgt_server_fd(), by a thread of the server as its last deed.  From gotgt_server_dispatch() it may free the server.
 * Until the server has stopped, other calls for it return -EBUSY.  -EBUSY when it does not run.
 */
typedef void gotgt_stopped_fn(void *data);
GOTGT_EXPORT int gotgt_server_stop_begin(struct gotgt_server *server, unsigned grace_ms, gotgt_stopped_fn *stopped,
					 void *data);

/* ---- what it serves: described, then started or applied ---- */

/*
 * Listen on a numeric IPv4 or IPv6 address, "0.0.0.0" or "::" for every one; port 0 takes a free one.  name is what
 * a target's setting "portals" calls it, or NULL.
 */
GOTGT_EXPORT int gotgt_portal_add(struct gotgt_server *server, const char *name, const char *address, uint16_t port);
/* By the values it was added with; its sessions stay. */
GOTGT_EXPORT int gotgt_portal_remove(struct gotgt_server *server, const char *address, uint16_t port);

/* A target by its iSCSI name: iqn., eui. or naa.  Nobody may log in before gotgt_target_allow() or gotgt_account_add(). */
GOTGT_EXPORT int gotgt_target_add(struct gotgt_server *server, const char *iqn);
/* A setting of a target in gotgt.conf(5): "alias", "portals", "iscsi.first-burst-length"; as gotgt_server_set(). */
GOTGT_EXPORT int gotgt_target_set(struct gotgt_server *server, const char *iqn, const char *name, const char *value);
/*
 * Who may log in: an address or a range of them ("192.0.2.0/24", "::1"), an initiator's iSCSI name or a pattern for some
 * ("iqn.2010-01.org.example:*"), or "all".  Once for each.  Where there are accounts, they are asked for as well.
 */
GOTGT_EXPORT int gotgt_target_allow(struct gotgt_server *server, const char *iqn, const char *who);
/* With its logical units. */
GOTGT_EXPORT int gotgt_target_remove(struct gotgt_server *server, const char *iqn);

/* Who may log in, by CHAP. */
struct gotgt_account {
	size_t size;			/* sizeof(struct gotgt_account) */
	const char *user;		/* CHAP_N of the initiator */
	const char *secret;		/* its secret, 12 to 255 bytes; or NULL, and ... */
	const char *secret_file;	/* ... the file that has it and, maybe, a newline; not for group and others to read */
	const char *mutual_user;	/* our CHAP_N, for initiators that ask back; NULL: none */
	const char *mutual_secret;	/* our secret, which is no initiator's; with mutual_user; or NULL, and ... */
	const char *mutual_secret_file;	/* ... the file that has it, as above */
};
/*
 * iqn NULL: who may ask what targets there are (discovery sessions).  Copies of secrets are wiped when they go; files
 * are read at each start and gotgt_server_apply(), which is where a secret that will not do is an error.
 */
GOTGT_EXPORT int gotgt_account_add(struct gotgt_server *server, const char *iqn, const struct gotgt_account *account);
GOTGT_EXPORT int gotgt_account_remove(struct gotgt_server *server, const char *iqn, const char *user);

/*
 * A logical unit, number 0 to 16383, over a plugin: one of gotgt_server_add_plugin(), or one that is loaded.  settings
 * are the plugin's, names and values in turn and NULL at the end, or NULL.  data is for a plugin that is part of the
 * program: its open() gets it by gotgt_lun_data(); NULL for others.
 */
GOTGT_EXPORT int gotgt_lun_add(struct gotgt_server *server, const char *iqn, uint32_t number, const char *plugin,
			       const char *const *settings, void *data);
/* The pointer a logical unit was added with, in a plugin that is part of the program.  [callback] */
GOTGT_EXPORT void *gotgt_lun_data(struct gotgt_lun *lun);
/* The same over a store, which the server keeps until the logical unit has gone.  A store is of one logical unit. */
GOTGT_EXPORT int gotgt_lun_add_store(struct gotgt_server *server, const char *iqn, uint32_t number,
				     struct gotgt_store *store);
/* A setting of a LUN in gotgt.conf(5): "read-only", "serial", "vendor", "product", "physical-block-size" ... */
GOTGT_EXPORT int gotgt_lun_set(struct gotgt_server *server, const char *iqn, uint32_t number, const char *name,
			       const char *value);
GOTGT_EXPORT int gotgt_lun_remove(struct gotgt_server *server, const char *iqn, uint32_t number);

/* ---- what it serves, in a file: gotgt.conf(5) ---- */

/* One thing that is wrong, "FILE:LINE: OBJECT: REASON", FILE alone where it has no line; valid during the call. */
typedef void gotgt_wrong_fn(void *data, const char *line);

#define GOTGT_CONFIG_APPLY UINT32_C(1)		/* make it take effect as well, as gotgt_server_apply() */
#define GOTGT_CONFIG_PLUGINS UINT32_C(2)	/* a plugin that does not load is wrong here, not at the start */
#define GOTGT_CONFIG_MISSING UINT32_C(4)	/* a file that is not there has nothing in it, and is warned of */
#define GOTGT_CONFIG_PORT UINT32_C(8)		/* "port" is to be used */
#define GOTGT_CONFIG_SINGLE UINT32_C(16)	/* one initiator at a time for each target, whatever the file has */

struct gotgt_config {
	size_t size;			/* sizeof(struct gotgt_config) */
	uint32_t flags;			/* GOTGT_CONFIG_* */
	const char *text;		/* what would be in the file, which is then not read: only its name is needed */
	const char *state_dir;		/* "state-dir" where the file has none; NULL: nothing is kept then */
	const char *log_level;		/* "log-level" whatever the file has; NULL: the file's */
	gotgt_wrong_fn *wrong;		/* told everything that is wrong, in this thread, before the call returns; or NULL */
	void *wrong_data;		/* what it is called with */
	gotgt_wrong_fn *warning;	/* told what is no error, in the same way; NULL: the log is */
	uint16_t port;			/* for a file of gotgt in Go: listened on in place of the ports its portals have */
	const char *const *control_addresses;	/* "control.addresses" whatever the file has, ends with NULL; NULL: the file's */
	const char *control_token_file;	/* "control.token-file" whatever the file has; NULL: the file's */
};
/*
 * The description becomes what a file says; all that was described before goes.  What no file can have, stores and
 * plugins with data, is added again by who had added it: the same, it stays untouched by gotgt_server_apply().
 * Or nothing changes: -EINVAL when anything in the file is wrong, or it cannot be read, all of which "wrong" is told;
 * with GOTGT_CONFIG_APPLY also what gotgt_server_apply() returns.  A plugin that does not load is told of at the start,
 * unless GOTGT_CONFIG_PLUGINS.  A file that says nothing of targets may have been cut: with GOTGT_CONFIG_APPLY it is wrong while
 * there are some; "targets = ();" ends all.  options NULL: as if all were 0.  A relative @include is looked for beside the file.
 * A file with JSON is one of gotgt in Go, see gotgt.conf(5); a library built without the control socket reads none.
 */
GOTGT_EXPORT int gotgt_config_load(struct gotgt_server *server, const char *path, const struct gotgt_config *options);
/* The same without changing anything, to hear what is wrong; a plugin that does not load always is. */
GOTGT_EXPORT int gotgt_config_check(struct gotgt_server *server, const char *path, const struct gotgt_config *options);
/*
 * Write the description to a file, at once and durably, secrets among it; with the mode the file has, or 0600.  Left
 * out are defaults, the "state_dir" it was loaded with, and logical units that a file cannot have.  -ESTALE: it is the file that
 * was loaded, and somebody wrote it since.  One with comments or includes, which are lost, is kept as PATH~.
 */
GOTGT_EXPORT int gotgt_config_save(struct gotgt_server *server, const char *path);

/* ---- who may ask and change it from outside: the control socket, see gotgt(1) ---- */

struct gotgt_control {
	size_t size;			/* sizeof(struct gotgt_control) */
	const char *path;		/* of the socket; "off": none; NULL: "control.socket" of the configuration, and if
					   that is not set the default place, which may be another's already: that is a line
					   in the log and no error */
	const char *group;		/* who may use it beside its owner; NULL: "control.group" */
	const char *config_path;	/* the file "gotgt save" writes; NULL: nothing can be saved */
	int fd;				/* a unix socket at path that listens already, of which the library makes a copy, and
					   whose file it leaves; 0: there is none */
};
/*
 * Listen on a control socket, and on "control.addresses" of the configuration; it takes a server that runs, and ends with it.  Requests are answered by a thread of the
 * server, as calls of another thread would be: they wait for calls, and calls for them.  A change from outside takes
 * effect at once and becomes part of the description; while something is described that is not applied yet, changes are
 * refused.  Stores can be looked at from outside, and removed.  -EBUSY: there is one, or the server does not run.
 * -ENOSYS: this build has none.  NULL ends it: open requests end, the socket is gone when this returns.
 */
GOTGT_EXPORT int gotgt_server_control(struct gotgt_server *server, const struct gotgt_control *control);
/* Where it listens.  -ENOENT: nowhere. */
GOTGT_EXPORT int gotgt_server_control_path(struct gotgt_server *server, char *buf, size_t size_bytes);

/* ---- who is logged in ---- */

/* A session as it was when it was looked at; valid during the call. */
struct gotgt_session {
	size_t size;		/* bytes of this struct the library fills */
	const char *initiator;	/* its iSCSI name */
	const char *target;	/* NULL: a discovery session */
	const char *peer;	/* "ADDRESS:PORT" of one of its connections */
	uint32_t connections;	/* of it, one or more */
	uint32_t commands;	/* under way */
	uint16_t tsih;		/* RFC 7143 11.12.6: its number here, until it ends */
	uint8_t isid[6];	/* RFC 7143 11.12.5: the initiator's number of it */
};
/* Call each(data, session) for every session, here and now; none when it does not run. */
typedef void gotgt_session_fn(void *data, const struct gotgt_session *session);
GOTGT_EXPORT int gotgt_server_sessions(struct gotgt_server *server, gotgt_session_fn *each, void *data);
/* Tell its initiator and close its connections; most initiators come back at once. */
GOTGT_EXPORT int gotgt_session_drop(struct gotgt_server *server, uint16_t tsih);

/* ---- what was counted ---- */

/* Commands of a kind that ended.  Times are from a command's arrival until its answer was sent; percentiles up to 1/8 high. */
struct gotgt_stats_kind {
	size_t size;			/* sizeof(struct gotgt_stats_kind), set by the caller; then bytes that were filled */
	uint64_t commands, bytes;	/* bytes of those that succeeded */
	uint64_t total_ns, p50_ns, p99_ns, max_ns;	/* of all together; of half, 99 of 100, and every one at most */
};
struct gotgt_stats {
	size_t size;			/* sizeof(struct gotgt_stats), set by the caller; then bytes that were filled */
	uint64_t errors;		/* commands that did not end with GOOD */
	uint64_t queue_depth, queue_depth_max;	/* under way: now, and at most */
	/* By what they do with blocks, each filled where it points, and NULL where nobody asks: the pointers stay. */
	struct gotgt_stats_kind *read, *write, *other;
};
/* Since the start, or of a logical unit since its device was opened.  -EBUSY when the server does not run. */
GOTGT_EXPORT int gotgt_server_stats(struct gotgt_server *server, struct gotgt_stats *stats);
GOTGT_EXPORT int gotgt_lun_stats(struct gotgt_server *server, const char *iqn, uint32_t number, struct gotgt_stats *stats);

/* ---- stores: a few functions instead of a plugin ---- */

#define GOTGT_STORE_SERIAL    UINT32_C(1)	/* one call at a time */
/*
 * Its functions return soon and wait for nothing, as memory does: they are called on the threads of connections,
 * not on workers.  Not together with GOTGT_STORE_SERIAL.
 */
#define GOTGT_STORE_MEMORY    UINT32_C(2)
#define GOTGT_STORE_READ_ONLY UINT32_C(4)	/* write is not called and may be NULL */
#define GOTGT_STORE_THIN      UINT32_C(8)	/* unmapped bytes take no space */

/*
 * Where bytes are.  Offsets and lengths are in bytes, multiples of block_size, and within the store: but after it
 * was made smaller, commands under way may still come for what is beyond the new end, and such a call fails with
 * -EIO of its own accord.  All functions come on threads of the server, several at once unless GOTGT_STORE_SERIAL.
 * They do all of it and return 0, or a negative errno: -ENOSPC, -EROFS, -EBUSY (the initiator may try again),
 * -ENODEV (not ready), -ENOMEM (busy); any other is a medium error.
 */
struct gotgt_store_ops {
	size_t size;		/* sizeof(struct gotgt_store_ops) */
	uint32_t flags;		/* GOTGT_STORE_* */
	uint32_t block_size;	/* bytes, 512 (0 means 512) to 4096, a power of two */
	int (*read)(void *data, void *buf, size_t length, uint64_t offset);
	int (*write)(void *data, const void *buf, size_t length, uint64_t offset);
	/* What was written is on stable storage; NULL: it is when write() returns. */
	int (*flush)(void *data);
	/* The range holds nothing of value and reads as zeroes; NULL: blocks cannot be unmapped. */
	int (*unmap)(void *data, uint64_t offset, uint64_t length);
	/* The store is gone: nothing of it is called after this.  NULL: nobody needs to know. */
	void (*close)(void *data);
};
/* size_bytes: of the store.  NULL when something is wrong with ops.  [callback] */
GOTGT_EXPORT struct gotgt_store *gotgt_store_new(const struct gotgt_store_ops *ops, void *data, uint64_t size_bytes);
/*
 * The store has another size, whole blocks and not 0: its logical unit has at once, and initiators hear of it
 * (CAPACITY DATA HAS CHANGED).  Grow before this, shrink after it.  [callback]
 */
GOTGT_EXPORT int gotgt_store_resize(struct gotgt_store *store, uint64_t size_bytes);
GOTGT_EXPORT uint64_t gotgt_store_size(const struct gotgt_store *store);	/* bytes, now.  [callback] */
/*
 * Not needed by the caller any more; close() comes here, or when the last server that has it lets go of it:
 * in its gotgt_server_apply(), gotgt_server_revert() or gotgt_server_free().  NULL does nothing.
 */
GOTGT_EXPORT void gotgt_store_free(struct gotgt_store *store);

#ifdef __cplusplus
}
#endif

#endif
