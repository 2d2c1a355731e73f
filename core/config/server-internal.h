/* SPDX-License-Identifier: Apache-2.0 */
/* server-internal.h - what server.c and apply.c share. */
#ifndef GOTGT_SERVER_INTERNAL_H
#define GOTGT_SERVER_INTERNAL_H

#include <sys/types.h>
#include "config/server.h"
#include "iscsi/node.h"

struct run_portal {
	const struct conf_portal *conf;
	struct portal *portal;
};

/* Which file it is, whatever its name is by now; all zero: unknown, or none. */
struct file_id { dev_t dev; ino_t ino; };

struct run_lun {
	const struct conf_lun *conf;
	struct lun *lun;	/* NULL: it did not open */
	char *file;		/* run_lun_file() while it is open */
	struct file_id id;	/* of that, when it was opened */
};

struct run_target {
	const struct conf_target *conf;
	struct target *scsi;
	struct node_target *node;	/* NULL: not published yet */
	GPtrArray *portals;		/* struct portal, as the node was told */
	GHashTable *luns;		/* number -> struct run_lun */
};

struct server {
	struct engine *engine;
	struct node *node;
	const char *const *plugin_dirs;
	struct conf *conf;
	bool started;		/* the first configuration is running */
	bool skip_broken;
	GPtrArray *portals;	/* struct run_portal */
	GHashTable *targets;	/* name -> struct run_target */
	GHashTable *files;	/* run_lun.file -> how many have it open */
};

struct run_target *run_target_new(struct server *s, const struct conf_target *conf);
/* It has no LUN and is not published. */
void run_target_free(struct run_target *rt);
struct run_lun *run_target_lun(const struct run_target *rt, uint32_t number);

/* Open a LUN's device and add it.  dev: open already, taken over; or NULL. */
bool run_lun_open(struct server *s, struct run_target *rt, const struct conf_lun *conf, struct device *dev,
		  GError **error);
struct device *run_lun_device(struct server *s, const struct conf_target *t, const struct conf_lun *conf,
			      GError **error);
/* Plugin and path, or what holds its bytes: two LUNs with the same may not be able to be open together.  NULL: none. */
char *run_lun_file(const struct server *s, const struct conf_lun *conf);
/* It has the name that it was opened by. */
bool run_lun_file_stays(const char *file, const struct file_id *id);
/*
 * A LUN that runs has this file open, and what is open has lost its name: closed, it would be gone, whatever comes of the change.  So it stays open, until
 * somebody removes that LUN.
 */
bool run_lun_is_lost_when_closed(const struct server *s, const char *file);
/* Remember that it did not open. */
void run_lun_left_out(struct run_target *rt, const struct conf_lun *conf);
/* Take it away from initiators and close its device. */
void run_lun_close(struct server *s, struct run_target *rt, uint32_t number);
struct lun_conf run_lun_conf(const struct conf_lun *conf);

#endif
