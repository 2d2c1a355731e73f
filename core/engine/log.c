/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - who logs what: domains and their levels, a line and what it is about, its way to the sink. */
#include "config.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <glib.h>
#include "engine/log.h"

#define LEVEL_BITS 4	/* of a domain in log->levels */
#define LINE_BYTES 1024
#define PLUGIN "plugin:"

G_STATIC_ASSERT(LOG_DOMAINS * LEVEL_BITS <= 64);

static const char *const level_names[] = {
	[GOTGT_LOG_ERROR] = "error", [GOTGT_LOG_WARNING] = "warn", [GOTGT_LOG_INFO] = "info", [GOTGT_LOG_DEBUG] = "debug",
};

static const struct { const char *name, *help; } domains[LOG_DOMAINS] = {
	[LOGD_DAEMON] = { "daemon", "start, reload and end of the program" },
	[LOGD_CONTROL] = { "control", "the control socket and its requests" },
	[LOGD_CONFIG] = { "config", "configurations, and what an applied one changes" },
	[LOGD_LOGIN] = { "login", "logins and discovery: who comes, who is refused and why" },
	[LOGD_ISCSI] = { "iscsi", "connections, sessions and PDUs" },
	[LOGD_SCSI] = { "scsi", "logical units, reservations, saved pages" },
	[LOGD_BACKSTORE] = { "backstore", "devices, and plugins that break their contract" },
	[LOGD_PLUGIN] = { "plugin", "what plugins have to say themselves" },
	[LOGD_ENGINE] = { "engine", "threads" },
};

const char *log_domain_name(unsigned domain)
{
	return domain < LOG_DOMAINS ? domains[domain].name : NULL;
}

const char *log_domain_help(unsigned domain)
{
	return domain < LOG_DOMAINS ? domains[domain].help : NULL;
}

static int domain_find(const char *name)
{
	for (int i = 0; i < LOG_DOMAINS; i++)
		if (g_str_equal(domains[i].name, name))
			return i;
	return -1;
}

const char *log_domain_wrong(const char *name)
{
	const char *plugin = g_str_has_prefix(name, PLUGIN) ? name + strlen(PLUGIN) : "";

	if (domain_find(name) >= 0 ||
	    (g_ascii_islower(*plugin) && !plugin[strspn(plugin, "abcdefghijklmnopqrstuvwxyz0123456789-")]))
		return NULL;
	return "expected daemon, control, config, login, iscsi, scsi, backstore, plugin, plugin:NAME or engine";
}

int log_level_parse(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(level_names); i++)
		if (g_str_equal(name, level_names[i]))
			return (int)i;
	return -1;
}

const char *log_level_name(enum gotgt_log_level level)
{
	return level_names[level];
}

/* ---- logs ---- */

/* The program's, and of tests; nobody's in a program that embeds us: every thread of ours has another. */
static struct log process_log = { .levels = LOG_LEVELS(GOTGT_LOG_INFO) };
static _Thread_local struct log *entered;
static _Thread_local const struct log_entry *current;

static struct log *here(void)
{
	return entered ? entered : &process_log;
}

struct log *log_enter(struct log *log)
{
	struct log *before = entered;

	entered = log;
	return before;
}

struct log *log_entered(void)
{
	return entered;
}

const struct log_entry *log_entry(void)
{
	return current;
}

void log_set_sink(log_sink *sink, void *data)
{
	here()->sink = sink;
	here()->data = data;
}

/* ---- levels ---- */

/* A plugin that has a device open, or a level of its own. */
struct log_plugin {
	struct log_plugin *next;
	_Atomic(enum gotgt_log_level) level;
	unsigned holders;
	bool own;
	char name[];		/* of the domain */
};

/* Of all logs' plugins: taken when devices open and close, and when levels change. */
static pthread_mutex_t plugins_lock = PTHREAD_MUTEX_INITIALIZER;

static enum gotgt_log_level level_of(uint64_t levels, enum log_domain domain)
{
	return (enum gotgt_log_level)(levels >> (unsigned)domain * LEVEL_BITS & ((1u << LEVEL_BITS) - 1));
}

bool log_enabled(enum log_domain domain, enum gotgt_log_level level)
{
	return level <= level_of(atomic_load_explicit(&here()->levels, memory_order_relaxed), domain);
}

bool log_plugin_enabled(const struct log_plugin *p, enum gotgt_log_level level)
{
	return level <= atomic_load_explicit(&p->level, memory_order_relaxed);
}

/* plugins_lock held; name is the domain's.  A new one is nobody's yet. */
static struct log_plugin *plugin_find(struct log *log, const char *name)
{
	uint64_t levels = atomic_load_explicit(&log->levels, memory_order_relaxed);
	struct log_plugin *p = log->plugins;

	while (p && !g_str_equal(p->name, name))
		p = p->next;
	if (p)
		return p;
	p = g_malloc0(sizeof *p + strlen(name) + 1);
	memcpy(p->name, name, strlen(name) + 1);
	atomic_init(&p->level, level_of(levels, LOGD_PLUGIN));
	p->next = log->plugins;
	log->plugins = p;
	return p;
}

static void drop_unused(struct log *log)
{
	struct log_plugin **at = &log->plugins, *p;

	while ((p = *at))
		if (p->holders || p->own) {
			at = &p->next;
		} else {
			*at = p->next;
			g_free(p);
		}
}

static void set_plugins(struct log *log, enum gotgt_log_level level, const struct log_own *own, size_t n)
{
	struct log_plugin *p;

	for (p = log->plugins; p; p = p->next)
		p->own = false;
	for (size_t i = 0; i < n; i++)
		if (domain_find(own[i].domain) < 0) {
			p = plugin_find(log, own[i].domain);
			p->own = true;
			atomic_store_explicit(&p->level, own[i].level, memory_order_relaxed);
		}
	for (p = log->plugins; p; p = p->next)
		if (!p->own)
			atomic_store_explicit(&p->level, level, memory_order_relaxed);
	drop_unused(log);
}

void log_set_levels(enum gotgt_log_level level, const struct log_own *own, size_t n)
{
	struct log *log = here();
	uint64_t levels = LOG_LEVELS(level);

	for (size_t i = 0; i < n; i++) {
		int domain = domain_find(own[i].domain);
		unsigned shift = (unsigned)domain * LEVEL_BITS;

		if (domain >= 0)
			levels = (levels & ~(((UINT64_C(1) << LEVEL_BITS) - 1) << shift)) | (uint64_t)own[i].level << shift;
	}
	pthread_mutex_lock(&plugins_lock);
	atomic_store_explicit(&log->levels, levels, memory_order_relaxed);
	set_plugins(log, level_of(levels, LOGD_PLUGIN), own, n);
	pthread_mutex_unlock(&plugins_lock);
}

void log_set_level(enum gotgt_log_level level)
{
	log_set_levels(level, NULL, 0);
}

struct log_plugin *log_plugin_get(struct log *log, const char *name)
{
	g_autofree char *domain = g_strconcat(PLUGIN, name, NULL);
	struct log_plugin *p;

	pthread_mutex_lock(&plugins_lock);
	p = plugin_find(log ? log : &process_log, domain);
	p->holders++;
	pthread_mutex_unlock(&plugins_lock);
	return p;
}

void log_plugin_put(struct log *log, struct log_plugin *p)
{
	pthread_mutex_lock(&plugins_lock);
	p->holders--;
	drop_unused(log ? log : &process_log);
	pthread_mutex_unlock(&plugins_lock);
}

void log_clear(struct log *log)
{
	pthread_mutex_lock(&plugins_lock);
	for (struct log_plugin *p = log->plugins; p; p = p->next)
		p->own = false;
	drop_unused(log);
	pthread_mutex_unlock(&plugins_lock);
}

/* ---- lines ---- */

static const char *printable(char buf[LOG_QUOTED], const char *text)
{
	return text ? log_quote(buf, LOG_QUOTED, text, strlen(text)) : NULL;
}

/* A line is one line, whatever was put into it; what is not ASCII may be a path. */
static const char *one_line(char *buf, size_t size, const char *text)
{
	size_t at = 0;

	for (; *text && at + sizeof "\\x00" <= size; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			at += (size_t)snprintf(buf + at, size - at, "\\x%02x", (unsigned char)*text);
		else
			buf[at++] = *text;
	buf[at] = '\0';
	return buf;
}

static void deliver(const struct log *log, struct log_entry *e)
{
	char target[LOG_QUOTED], initiator[LOG_QUOTED], conn[LOG_QUOTED], line[LINE_BYTES];
	const struct log_entry *before = current;

	e->of.target = printable(target, e->of.target);
	e->of.initiator = printable(initiator, e->of.initiator);
	e->of.conn = printable(conn, e->of.conn);
	e->text = one_line(line, sizeof line, e->text);
	current = e;
	log->sink(e->level, e->text, log->data);
	current = before;
}

void log_vwrite(enum log_domain domain, enum gotgt_log_level level, const char *function, struct log_fields of,
		const char *fmt, va_list ap)
{
	struct log_entry e = { level, domains[domain].name, function, NULL, of };
	const struct log *log = here();
	char text[LINE_BYTES];

	if (!log->sink)
		return;
	vsnprintf(text, sizeof text, fmt, ap);
	e.text = text;
	deliver(log, &e);
}

void log_write(enum log_domain domain, enum gotgt_log_level level, const char *function, struct log_fields of,
	       const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vwrite(domain, level, function, of, fmt, ap);
	va_end(ap);
}

void log_plugin_write(const struct log_plugin *p, enum gotgt_log_level level, struct log_fields of, const char *text)
{
	struct log_entry e = { level, p->name, NULL, text, of };
	const struct log *log = here();

	if (log->sink)
		deliver(log, &e);
}

const char *log_quote(char *buf, size_t size, const char *text, size_t len)
{
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = c >= 0x20 && c < 0x7f && c != '\\';

		if (at + (plain ? 1 : 4) + 4 > size) {
			at += (size_t)snprintf(buf + at, size - at, "...");
			break;
		}
		if (plain)
			buf[at++] = (char)c;
		else
			at += (size_t)snprintf(buf + at, size - at, "\\x%02x", c);
	}
	buf[MIN(at, size - 1)] = '\0';
	return buf;
}
