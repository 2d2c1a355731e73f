/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.h - the iSCSI network entity: portals, targets, and who is logged in where.
 * What logins look up is behind node->lock; nothing here is on the path of a command.
 */
#ifndef GOTGT_NODE_H
#define GOTGT_NODE_H

#include <pthread.h>
#include <glib.h>
#include <sys/socket.h>
#include "engine/engine.h"
#include "engine/log.h"
#include "engine/stats.h"
#include "iscsi/keys.h"
#include "scsi/target.h"

struct acl;
struct acl_who;
struct auth;
struct auth_guard;
struct redirect;
struct session;
struct portal;
struct conn;
struct cmd;
struct count_run;

#define ISCSI_NAME_MAX 223	/* RFC 7143 4.2.7.2 */
#define REMOVED_NAMES_MAX 1024u

/* A portal of a target and its target portal group tag, which is its target port group too. */
struct portal_tag { struct portal *portal; uint16_t tag; };

/* A target as initiators see it. */
struct node_target {
	struct node *node;
	GSequenceIter *place;	/* in node->by_name */
	char *name;		/* iqn., eui. or naa. */
	char *alias;		/* or NULL */
	struct target *scsi;
	struct params offer;
	struct auth *auth;	/* a reference: who may log in; NULL: everybody; under node->lock */
	struct acl *acl;	/* a reference: from where, and what they see; NULL: from everywhere; under node->lock */
	bool single_initiator;	/* one initiator at a time; under node->lock */
	uint32_t max_sessions;	/* 0: no limit; under node->lock */
	GPtrArray *portals;	/* struct portal it is reached through; empty: all */
	GArray *tags;		/* struct portal_tag; portals not named have tag 1 */
	struct redirect *redirect;	/* logins go on elsewhere; NULL: never; under node->lock */
	bool removed;		/* a login meets 0204 */
	GList *sessions;	/* struct session, under node->lock */
	gint refs;
};

struct node {
	pthread_mutex_t lock;
	pthread_cond_t idle;			/* signalled when a session or connection is gone */
	struct engine *engine;
	GHashTable *targets;		/* name -> struct node_target */
	GPtrArray *portals;		/* struct portal */
	GPtrArray *old_portals;		/* removed ones that are not forgotten */
	GSequence *by_name;		/* struct node_target */
	GQueue removed_names;		/* of targets that were here, the last REMOVED_NAMES_MAX of them */
	unsigned n_conns[ENGINE_REACTORS_MAX];	/* under lock */
	unsigned conns_total, logins;	/* logins: those not yet logged in */
	GArray *logging_in;		/* logins.c's: by address; under lock */
	struct conn *oldest_login, *newest_login;
	gint64 refused_told_us;		/* portal.c's: when the log was told last, 0: never; under lock */
	unsigned refused_untold;	/* since then; under lock */
	gint64 told_from_us;		/* node_tells()'s; under lock */
	unsigned told, untold;
	struct auth *discovery_auth;	/* as a target's, for discovery sessions; under lock */
	struct auth_guard *guard;
	uint16_t next_tsih;
	GList *sessions;		/* all struct session, under lock */
	/* One a reactor, touched by it alone. */
	struct conn *conns[ENGINE_REACTORS_MAX];
	struct cmd *free_cmds[ENGINE_REACTORS_MAX];
	struct node_memory {
		size_t bytes;		/* what sessions' commands hold, in all */
		size_t copied;		/* copies of answers that are not read */
		size_t held;		/* PDUs out of order */
		unsigned sessions;	/* that hold any of bytes */
		char apart[64 - 3 * sizeof(size_t) - sizeof(unsigned)];
	} memory[ENGINE_REACTORS_MAX];
	struct count_run *runs;
	struct stats_set *adopted;	/* of connections without a portal */
	struct stats_sum *over;		/* of forgotten portals, one a reactor; [main] */
	gint64 started_us;		/* g_get_monotonic_time() */
	/* Limits, [main] before the first portal. */
	uint32_t max_conns;		/* all connections; default 4096 */
	uint32_t max_logins;		/* connections not yet logged in; default 256 */
	uint32_t max_logins_per_address;	/* of those; default 128 */
	uint32_t login_timeout_s;	/* default 15 */
	uint32_t nop_interval_s;	/* NOP-In after so much silence, 0: never; default 30 */
	uint32_t nop_timeout_s;		/* no answer to it: the connection is dropped; default 30 */
	uint32_t tcp_user_timeout_s;	/* data not acknowledged for so long: the connection is dropped, 0: TCP's own; default 60 */
	uint64_t max_memory;		/* what commands may hold, on all reactors; default 1 GiB */
	/* On all reactors; beyond it a connection may have 64 KiB of it; defaults 256 MiB and 64 MiB. */
	uint64_t max_copied, max_held;
	uint32_t queue_depth;		/* commands a session may have open; default 128 */
};

/* [main] for all that follows but where it says otherwise. */
struct node *node_new(struct engine *e);
/* After node_shutdown(). */
void node_free(struct node *n);

/* May one more line of that level about a connection be logged?  A flood of them is not: false.  [any] */
bool node_tells(struct node *n, enum gotgt_log_level level);
/* Bind and listen; addr is a numeric IPv4 or IPv6 address, port 0 takes a free one. */
struct portal *node_add_portal(struct node *n, const char *addr, uint16_t port, GError **error);
/* On a socket that listens and does not block; it is ours from here. */
struct portal *node_add_portal_on(struct node *n, int fd);
/* Stop listening there; its sessions stay. */
void node_remove_portal(struct node *n, struct portal *p);
/* No target or list of one names those that were removed: they go, but for those that still have connections. */
void node_forget_portals(struct node *n);
/* "ADDR:PORT" or "[ADDR]:PORT" as bound. */
const char *portal_name(const struct portal *p);
/* What is announced instead: "HOST" or "HOST:PORT"; without a port with its own.  NULL: as bound. */
void portal_advertise(struct portal *p, const char *text);
const char *portal_advertised(const struct portal *p);	/* or NULL; under node->lock */
uint16_t portal_tag(const struct portal *p);	/* relative target port identifier, from 1 */

/* Takes over scsi; portals (struct portal *, n_portals of them) may be none: all. */
struct node_target *node_add_target(struct node *n, const char *name, const char *alias, struct target *scsi,
				    const struct params *offer, struct portal *const *portals, unsigned n_portals);
/* Who may log in to a target, and how many.  References are taken over. */
struct node_access {
	struct auth *auth;		/* NULL: everybody who is admitted */
	struct acl *acl;		/* NULL: everybody is */
	bool single_initiator;
	uint32_t max_sessions;		/* 0: no limit */
};
/* The same, restricted from the first login on. */
struct node_target *node_add_target_access(struct node *n, const char *name, const char *alias, struct target *scsi,
					   const struct params *offer, struct portal *const *portals, unsigned n_portals,
					   const struct node_access *access);
/*
 * From here on.  Sessions of initiators that are not admitted any more are dropped, the others see what they now may;
 * that they have authenticated, and how many there are, is not looked at again.
 */
void node_set_access(struct node *n, struct node_target *t, const struct node_access *access);
/* Where logins go on that come from here on, see redirect.h. */
struct node_redirect {
	const char *address;	/* as portal_advertise() takes it; its port is 3260 if it has none */
	bool permanent;		/* that address is the target's for good */
	bool balance;		/* without an address: the portal group with the fewest sessions */
};
/* NULL: here. */
void node_set_redirect(struct node *n, struct node_target *t, const struct node_redirect *to);
/* Who may log in from here on: takes the reference; t NULL: to a discovery session. */
void node_set_auth(struct node *n, struct node_target *t, struct auth *auth);
/* A reference; t NULL: of discovery.  [any] */
struct auth *node_auth(struct node *n, const struct node_target *t);
/* Change what later logins get. */
/* The groups of portals; without it all have tag 1.  A session keeps the tag it logged in with.  [main] */
void node_set_tags(struct node *n, struct node_target *t, const struct portal_tag *tags, unsigned n_tags);
/* Under node->lock. */
static inline uint16_t node_target_tag(const struct node_target *t, const struct portal *p)
{
	for (guint i = 0; i < t->tags->len; i++) {
		const struct portal_tag *pt = &g_array_index(t->tags, struct portal_tag, i);

		if (pt->portal == p)
			return pt->tag;
	}
	return 1;
}

void node_update_target(struct node *n, struct node_target *t, const char *alias, const struct params *offer,
			struct portal *const *portals, unsigned n_portals);
/* New logins meet 0204; sessions are asked to log out, then closed; returns when none is left.  The caller frees t->scsi's LUNs and it. */
void node_remove_target(struct node *n, struct node_target *t, unsigned grace_ms);
/* target_remove_lun()'s quiesce, arg a struct node_target: abort every command on a LUN; returns when none is left. */
void node_quiesce_lun(struct lun *lun, void *arg);

/* Stop listening, finish commands in flight, ask every session to log out (Async Message 1), close what is left after grace_ms.  Targets stay, for node_remove_target(). */
void node_shutdown(struct node *n, unsigned grace_ms);

/* A session as it was when node_sessions() looked. */
struct session_info {
	uint16_t tsih;
	uint8_t isid[6];
	char *initiator;
	char *target;		/* NULL: a discovery session */
	char peer[64];		/* "ADDR:PORT" of a connection */
	unsigned connections, commands;
};
/* All of them, struct session_info; g_array_unref() frees what it holds. */
GArray *node_sessions(struct node *n);
/* Tell its initiator (RFC 7143 11.9.1, event 3) and close its connections; false: no such session. */
bool node_drop_session(struct node *n, uint16_t tsih);

/* Look a target up by name as seen through a portal: NULL when there is none there; *removed says it was here.  [any] */
struct node_target *node_find_target(struct node *n, const char *name, const struct portal *p, bool *removed);
/* GCompareDataFunc of two struct node_target. */
gint node_by_name(gconstpointer a, gconstpointer b, gpointer unused);
struct node_target *node_target_ref(struct node_target *t);	/* [any] */
void node_target_unref(struct node *n, struct node_target *t);	/* [any] */
/*
 * What SendTargets answers him who comes (RFC 7143 appendix C), added to out: of one target, or of all in the order of
 * their names, those behind *after ("": from the first) until out has len bytes, not fewer than one.  *after is then the
 * last one, or NULL: that was all.  who and local NULL: nobody comes, all there is.  [any]
 */
void node_send_target(struct node *n, const char *name, const struct acl_who *who, const struct sockaddr_storage *local,
		      GByteArray *out);
void node_send_all_targets(struct node *n, char **after, uint32_t len, const struct acl_who *who,
			   const struct sockaddr_storage *local, GByteArray *out);

/* A connected socket from elsewhere (tests: a socketpair); it is ours from here. */
void node_adopt(struct node *n, struct portal *p, int fd);

#endif
