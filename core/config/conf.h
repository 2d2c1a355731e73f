/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - a configuration as plain data, from a file or built by `gotgt serve`.  [main] */
#ifndef GOTGT_CONF_H
#define GOTGT_CONF_H

#include <glib.h>
#include "config/schema.h"
#include "iscsi/keys.h"

/* Where an object stands in a file; file NULL: it did not come from one. */
struct conf_where {
	const char *file;	/* interned */
	unsigned line;
};

struct conf_limits {
	uint32_t login_timeout_s, nop_interval_s, nop_timeout_s;
	uint32_t tcp_user_timeout_s, queue_depth, max_connections, max_logins, max_logins_per_address;
	uint32_t max_command_memory_mib;
};

struct conf_portal {
	struct conf_where where;
	char *name;		/* what targets call it by, or NULL */
	char *address;		/* numeric */
	uint32_t port;
	char *advertise;	/* or NULL: as bound */
};

struct module;

struct conf_lun {
	struct conf_where where;
	uint32_t number;
	char *plugin;
	char **settings;	/* names and values in turn, NULL at the end, or NULL */
	unsigned *setting_lines;	/* of each name, when read from a file, else NULL */
	uint32_t block_size;	/* 0: the device's */
	uint32_t physical_block_size, optimal_io_size;	/* bytes; 0: the device's */
	uint32_t alignment_offset;	/* LBA of the first physical block that starts with a block */
	uint32_t read_only, thin, removable, online;
	uint32_t io_timeout_s;	/* 0: none */
	char *naa;		/* 16 hexadecimal digits */
	char *serial, *vendor, *product;
	/* Of who embeds us, not of files. */
	const struct module *module;	/* the plugin, in the program itself; NULL: it is found by its name */
	void *context;			/* device_context() */
};

struct conf_group {
	struct conf_where where;
	uint32_t tag, state;	/* enum alua_state */
	uint32_t preferred;
	char **portals;		/* names */
};

/* Of each secret at most one is set, see accounts.h. */
struct conf_account {
	struct conf_where where;
	char *user, *secret, *secret_file, *secret_credential;
	char *mutual_user, *mutual_secret, *mutual_secret_file, *mutual_secret_credential;
};

struct conf_discovery {
	GPtrArray *accounts;	/* struct conf_account; none: everybody */
};

/* One LUN of an initiator: what it calls it, what the target calls it. */
struct conf_acl_lun {
	struct conf_where where;
	uint32_t number, lun, read_only;
};

/* Initiators that are admitted, and what they see. */
struct conf_acl {
	struct conf_where where;
	char **initiators, **addresses, **portals;	/* NULL: any */
	uint32_t read_only;
	GPtrArray *luns;	/* struct conf_acl_lun; none: all as they are */
};

struct conf_control {
	char *socket, *group;
	char **addresses;	/* "ADDRESS:PORT" for TCP, or NULL */
	char *token_file, *tls_certificate, *tls_key, *tls_client_ca;
	uint32_t without_token, without_tls;
};

/* The level of one domain of the log. */
struct conf_log {
	struct conf_where where;
	char *domain;
	uint32_t level;
};

/* Logins that go on elsewhere: at an address, or where the fewest are. */
struct conf_redirect {
	char *address;
	uint32_t permanent, balance;
};

struct conf_target {
	struct conf_where where;
	char *iqn, *alias;
	char **portals;		/* names; NULL: all */
	GPtrArray *groups;	/* struct conf_group */
	uint32_t explicit_alua;
	GPtrArray *luns;	/* struct conf_lun */
	GPtrArray *accounts;	/* struct conf_account; none: everybody */
	GPtrArray *acls;	/* struct conf_acl; none: see open */
	uint32_t open;		/* admits everybody */
	uint32_t single_initiator, max_sessions;
	struct conf_redirect redirect;
	struct params iscsi;	/* what is not set here is as in struct conf */
};

/* What the daemon gives up before it serves: lib/confine.h. */
enum confine { CONFINE_AUTO, CONFINE_OFF, CONFINE_REQUIRED };

struct conf {
	struct conf_where where;
	/* Of these settings, or as where. */
	struct conf_where chap_where, iscsi_where, targets_where, control_where, confine_where;
	bool has_targets;	/* it says which there are, were it none */
	uint32_t reactors, workers, poll_us, log_level;
	uint32_t confine;	/* enum confine; of the daemon, not of who embeds us */
	char **confine_paths;	/* lib/landlock.h; NULL: anywhere */
	GPtrArray *log_levels;	/* struct conf_log */
	char *state_dir;	/* NULL: nothing is kept */
	struct conf_limits limits;
	struct conf_control control;
	char **chap_algorithms;	/* the preferred one first; NULL: all */
	uint32_t fips, short_secrets;
	struct conf_discovery discovery;
	struct params iscsi;
	GPtrArray *portals;	/* struct conf_portal */
	GPtrArray *targets;	/* struct conf_target */
};

struct conf *conf_new(void);
void conf_free(struct conf *c);
struct conf *conf_copy(const struct conf *c);

/* New objects with their defaults, added to what they belong to. */
struct conf_portal *conf_add_portal(struct conf *c);
struct conf_target *conf_add_target(struct conf *c);
struct conf_lun *conf_add_lun(struct conf_target *t);
/* ADDR, ADDR:PORT, [ADDR] or [ADDR]:PORT. */
bool conf_portal_parse(const char *text, struct conf_portal *portal, GError **error);
struct conf_portal *conf_find_portal(const struct conf *c, const char *name);

/* Errors are lines "FILE:LINE: OBJECT: REASON" in an array of char *. */
GPtrArray *conf_errors_new(void);
void conf_error(GPtrArray *errors, const struct conf_where *where, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* What no single setting shows: duplicates, references to nothing, FirstBurstLength over MaxBurstLength. */
void conf_check(const struct conf *c, GPtrArray *errors);

/* Log as much as it says, in the log of this thread. */
void conf_set_log(const struct conf *c);

/* Read a file.  Every error is added to errors; NULL when there was one. */
struct conf *conf_read(const char *path, GPtrArray *errors);
/* The same of what would be in the file. */
struct conf *conf_read_text(const char *path, const char *text, GPtrArray *errors);

/* Why a target may not be called so (RFC 7143 4.2.7), or NULL. */
const char *iscsi_name_check(const char *name);

#endif
