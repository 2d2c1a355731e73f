/* SPDX-License-Identifier: Apache-2.0 */
/* control-internal.h - what the files of control/ share. */
#ifndef GOTGT_CONTROL_INTERNAL_H
#define GOTGT_CONTROL_INTERNAL_H

#include <sys/stat.h>
#include <libsoup/soup.h>
#include "control/control.h"
#include "control/remote.h"
#include "control/request.h"

struct control {
	struct control_options options;
	char *path, *config_path;	/* path: of the unix socket, or NULL */
	struct stat file;		/* of that; zeroes: it is not ours to remove */
	GSocketAddress *nowhere;	/* what libsoup takes for a peer's address */
	GPtrArray *doors;		/* struct door */
	struct remote *remote;		/* or NULL */
	GQueue handshakes;		/* struct connection, whose TLS is not yet there; the oldest first */
	GMainContext *context;		/* of the thread that answers */
	GPtrArray *routes;		/* struct route */
	char *etag_key;
	bool unsaved;
	GSource *trim;			/* or NULL */
};

/* ---- connections.c ---- */

/* A socket we are asked on. */
struct door {
	struct control *control;
	GSocket *socket;
	GSource *accept;
	SoupServer *http;
	char *url;			/* as bound */
	bool remote, loopback;		/* TCP */
	gint64 said_us;			/* when a refusal was logged */
	GQueue *connections;		/* struct connection, the oldest first */
	GQueue *ending;			/* those that were shut down to make room */
	gint64 crowded_us;		/* when there was one too many last, 0: never */
};

/* Open all that is asked for; doors_close() also when this fails. */
bool doors_open(struct control *c, const struct control_options *o, GError **error);
void doors_close(struct control *c);
/* Who sent this has shown that he may: his connection may live on. */
void door_admit(struct door *d, SoupServerMessage *msg);

/* ---- routes.c ---- */

struct route {
	const char *method;
	char *pattern;			/* "/v1/targets/{iqn}" */
	void (*handle)(struct request *r);
	char *summary;
	const struct setting *row;	/* the list or group of the schema it is about, or NULL */
	bool element;			/* of the list */
	bool across;			/* of all targets */
	enum route_answer { ANSWER_OBJECT, ANSWER_LIST, ANSWER_NONE, ANSWER_OTHER } answer;
	bool body;			/* takes one */
	bool change;			/* takes dry_run and force */
	const char *query;		/* names of what else it takes there, each an optional text; or NULL; "": nothing at all */
	const char *type;		/* of its answer, NULL: JSON */
};

GPtrArray *routes_new(void);
/* The one for method and path (steps, decoded); NULL: then *allow is what methods the path has, or NULL. */
const struct route *routes_find(const GPtrArray *routes, const char *method, const char *const *steps, char **allow);
/* Handlers, by file. */
void across_list(struct request *r);
void across_backstores(struct request *r);
void across_backstore(struct request *r);
void objects_get(struct request *r);
void objects_create(struct request *r);
void objects_put(struct request *r);
void objects_patch(struct request *r);
void objects_delete(struct request *r);
void objects_get_config(struct request *r);
void objects_put_config(struct request *r);
void objects_patch_config(struct request *r);
void levels_get(struct request *r);
void levels_put(struct request *r);
void change_save(struct request *r);
/* "online", "offline", "failed": it did not open, "stuck": its device does not answer. */
const char *view_lun_state(const struct conf_lun *l, const struct lun *lun);
/* Bytes; sessions hear CAPACITY DATA HAS CHANGED when it is another now.  [main] */
uint64_t view_lun_size(struct lun *lun);
void views_health(struct request *r);
void views_plugins(struct request *r);
void views_session(struct request *r);
void views_sessions(struct request *r);
void views_session_drop(struct request *r);
void views_status(struct request *r);
void openapi_get(struct request *r);
void numbers_stats(struct request *r);
void metrics_get(struct request *r);
void go_discovery_create(struct request *r);
void go_discovery_get(struct request *r);
void go_discovery_remove(struct request *r);
void go_lu_create(struct request *r);
void go_lu_get(struct request *r);
void go_lu_list(struct request *r);
void go_lu_remove(struct request *r);
void go_target_list(struct request *r);
void go_target_create(struct request *r);
void go_target_remove(struct request *r);
void go_target_up(struct request *r);

/* ---- go.c ---- */

/* The last step of the path: routes of gotgt in Go have a version in front, or not. */
const char *go_last_step(const struct request *r);

/* ---- across.c ---- */

/* An element by a path across targets: from here on the request is for where it is.  r->across is for g_free(). */
void across_begin(struct request *r);
/* NULL: discovery's. */
const char *across_target(const struct request *r);
/* Say where an element is. */
void across_mark(JsonNode *node, enum conf_object object, const char *iqn, unsigned at);
/* Take that out of a document.  False: it is not what the path says, in r->wrongs. */
bool across_body(struct request *r, JsonObject *o);

/* ---- trim.c ---- */

/* When msg, or its answer, is long: give memory back once it has gone. */
void trim_after(struct control *c, SoupServerMessage *msg);
void trim_stop(struct control *c);

/* ---- change.c ---- */

enum { CHANGE_USE_CHECKED = 1 };	/* refused where a LUN or target in use goes away, unless ?force=1 */
/*
 * What is to be changed, for change_apply() or conf_free(): a copy of what runs.  part: of its targets only the one
 * called iqn, if there is one, as server_conf_part(); a target that is added then has its name in r->iqn.
 */
struct conf *change_begin(struct request *r, bool part, const char *iqn);
/* Make next, which is taken over, what runs; or with ?dry_run=1 tell what would change.  False: it has been answered. */
bool change_apply(struct request *r, struct conf *next, unsigned flags);
/* The entity tag of an object, or (obj NULL) of a list of them, as it runs. */
char *change_etag(const struct control *c, enum conf_object object, const void *obj, const GPtrArray *list);
/* If-Match and If-None-Match; etag NULL: there is no such thing.  False: it has been answered. */
bool change_allowed(struct request *r, const char *etag);

#endif
