/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trim.c - a long document is several times its length while it is in pieces.  What it took is given back to the
 * system, where the C library would keep it for the next one, which may never come.
 */
#include "config.h"
#ifdef HAVE_MALLOC_TRIM
#include <malloc.h>
#endif
#include "control/control-internal.h"

#ifdef HAVE_MALLOC_TRIM
enum { LONG_BYTES = 1 << 20, TRIM_MS = 200 };

static gboolean trim(gpointer control)
{
	struct control *c = control;

	g_clear_pointer(&c->trim, g_source_unref);
	malloc_trim(0);
	return G_SOURCE_REMOVE;
}

static void on_finished(SoupServerMessage *msg, gpointer control)
{
	struct control *c = control;
	goffset bytes = soup_server_message_get_request_body(msg)->length + soup_server_message_get_response_body(msg)->length;

	if (bytes < (goffset)LONG_BYTES || c->trim)
		return;
	c->trim = g_timeout_source_new(TRIM_MS);
	g_source_set_priority(c->trim, G_PRIORITY_LOW);
	g_source_set_callback(c->trim, trim, c, NULL);
	g_source_attach(c->trim, c->context);
}
#endif

void trim_after(struct control *c, SoupServerMessage *msg)
{
#ifdef HAVE_MALLOC_TRIM
	g_signal_connect(msg, "finished", G_CALLBACK(on_finished), c);
#endif
}

void trim_stop(struct control *c)
{
	if (c->trim)
		g_source_destroy(c->trim);
	g_clear_pointer(&c->trim, g_source_unref);
}
