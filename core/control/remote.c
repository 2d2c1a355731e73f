/* SPDX-License-Identifier: Apache-2.0 */
/* remote.c - see remote.h */
#include "config.h"
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include "config/secret.h"
#include "config/server.h"
#include "control/control.h"
#include "control/remote.h"
#include "engine/vault.h"

#define FAIL(...) g_set_error(error, SERVER_ERROR, 0, __VA_ARGS__)

struct remote {
	struct conf_control conf;	/* a copy */
	GPtrArray *addresses;		/* GInetSocketAddress */
	pthread_mutex_t lock;		/* of what follows, which a reload on another thread replaces */
	char *token;			/* NULL: none is needed */
	GTlsCertificate *certificate;	/* NULL: no TLS */
	GTlsDatabase *clients;		/* who signs their certificates, or NULL */
};

/* ---- addresses ---- */

static GInetSocketAddress *parse(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool bracket = len > 2 && *text == '[' && text[len - 1] == ']';
	g_autofree char *host = bracket ? g_strndup(text + 1, len - 2) : g_strndup(text, len);
	guint64 port;

	if (!len || bracket != !!strchr(host, ':') || !g_ascii_string_to_unsigned(colon + 1, 10, 0, G_MAXUINT16, &port, NULL))
		return NULL;
	return (GInetSocketAddress *)g_inet_socket_address_new_from_string(host, (guint)port);
}

static bool is_loopback(GInetSocketAddress *a)
{
	return g_inet_address_get_is_loopback(g_inet_socket_address_get_address(a));
}

static bool read_addresses(const struct conf_control *cc, GPtrArray *to, GError **error)
{
	for (char **text = cc->addresses; text && *text; text++) {
		GInetSocketAddress *a = parse(*text);

		if (!a) {
			FAIL("control address \"%s\": expected ADDRESS:PORT, with a numeric address, an IPv6 one in [ ]", *text);
			return false;
		}
		g_ptr_array_add(to, a);
		if (!cc->token_file && !(cc->without_token && is_loopback(a))) {
			FAIL("control address %s: wants a token-file%s", *text, !is_loopback(a) ? "" :
			     ", or without-token = true, with which every user of this machine may do what the daemon can");
			return false;
		}
		if (!cc->tls_certificate && !cc->without_tls && !is_loopback(a)) {
			FAIL("control address %s: wants a tls-certificate, or without-tls = true, with which the token can be read "
			     "on its way", *text);
			return false;
		}
	}
	return true;
}

/* ---- files ---- */

/* RFC 6750 2.1, b64token */
static bool is_token(const char *text)
{
	size_t len = 0;

	while (g_ascii_isalnum(text[len]) || (text[len] && strchr("-._~+/", text[len])))
		len++;
	return len && !text[len + strspn(text + len, "=")];
}

static char *read_token(const char *path, GError **error)
{
	char *token = secret_read(path, false, error);

	if (!token)
		g_prefix_error(error, "control token-file ");
	else if (!is_token(token))
		FAIL("control token-file %s: expected one line of letters, digits and any of -._~+/ and = at its end", path);
	else if (strlen(token) < REMOTE_TOKEN_MIN || strlen(token) > SECRET_MAX)
		FAIL("control token-file %s: expected %u to %u characters", path, REMOTE_TOKEN_MIN,
		     (unsigned)SECRET_MAX);
	else
		return token;
	vault_free(token);
	return NULL;
}

static bool key_is_private(const char *path, GError **error)
{
	struct stat st;

	if (stat(path, &st) < 0 || !(st.st_mode & S_IRWXO))	/* what open() says is said then */
		return true;
	FAIL("control tls-key %s: others have access to it, mode %04o; chmod 600 it", path, st.st_mode & 07777u);
	return false;
}

static bool read_tls(const struct conf_control *cc, GTlsCertificate **certificate, GTlsDatabase **clients, GError **error)
{
	const char *key = cc->tls_key ? cc->tls_key : cc->tls_certificate;
	/* GLib takes no other. */
	g_autofree char *anchors = cc->tls_client_ca ? g_canonicalize_filename(cc->tls_client_ca, NULL) : NULL;

	if (!cc->tls_certificate) {
		if (cc->tls_key || cc->tls_client_ca)
			FAIL("control %s: wants a tls-certificate", cc->tls_key ? "tls-key" : "tls-client-ca");
		return !cc->tls_key && !cc->tls_client_ca;
	}
	if (!g_tls_backend_supports_tls(g_tls_backend_get_default())) {
		FAIL("control tls-certificate: this system's GLib has no TLS, which is in the package glib-networking");
		return false;
	}
	if (!key_is_private(key, error))
		return false;
	*certificate = g_tls_certificate_new_from_files(cc->tls_certificate, key, error);
	if (!*certificate)
		g_prefix_error(error, "control tls-certificate %s: ", cc->tls_certificate);
	else if (anchors && !(*clients = g_tls_file_database_new(anchors, error)))
		g_prefix_error(error, "control tls-client-ca %s: ", cc->tls_client_ca);
	else
		return true;
	return false;
}

/* What is read takes the place of what m has, or nothing does. */
static bool read_files(struct remote *m, GError **error)
{
	GTlsCertificate *certificate = NULL;
	GTlsDatabase *clients = NULL;
	char *token = NULL;
	bool ok = (!m->conf.token_file || (token = read_token(m->conf.token_file, error))) &&
		  read_tls(&m->conf, &certificate, &clients, error);

	if (!ok) {
		vault_free(token);
		g_clear_object(&certificate);
		return false;
	}
	pthread_mutex_lock(&m->lock);
	vault_free(m->token);
	g_clear_object(&m->certificate);
	g_clear_object(&m->clients);
	m->token = token;
	m->certificate = certificate;
	m->clients = clients;
	pthread_mutex_unlock(&m->lock);
	return true;
}

/* ---- all of it ---- */

static struct remote *make(const struct conf_control *cc, GError **error)
{
	struct remote *m = g_new0(struct remote, 1);
	const struct setting *s = NULL;

	while ((s = schema_next(CONF_CONTROL, s)))
		setting_copy(s, cc, &m->conf);
	pthread_mutex_init(&m->lock, NULL);
	m->addresses = g_ptr_array_new_with_free_func(g_object_unref);
	if (read_addresses(cc, m->addresses, error) && read_files(m, error))
		return m;
	remote_free(m);
	return NULL;
}

struct remote *remote_new(const struct conf_control *cc, GError **error)
{
	return cc->addresses && *cc->addresses ? make(cc, error) : NULL;
}

/* Without an address, too: who has set the rest wants to know what is wrong with it. */
void control_check(const struct conf_control *cc, GPtrArray *errors)
{
	g_autoptr(GError) error = NULL;

	remote_free(make(cc, &error));
	if (error)
		conf_error(errors, &(struct conf_where){ 0 }, "%s", error->message);
}

void remote_free(struct remote *m)
{
	if (!m)
		return;
	schema_clear(CONF_CONTROL, &m->conf);
	g_ptr_array_unref(m->addresses);
	pthread_mutex_destroy(&m->lock);
	vault_free(m->token);
	g_clear_object(&m->certificate);
	g_clear_object(&m->clients);
	g_free(m);
}

bool remote_reload(struct remote *m, GError **error)
{
	return read_files(m, error);
}

GInetSocketAddress *remote_address(const struct remote *m, unsigned n)
{
	return n < m->addresses->len ? m->addresses->pdata[n] : NULL;
}

const char *remote_scheme(const struct remote *m)
{
	return m->conf.tls_certificate ? "https" : "tcp";
}

/* GLib asks the server's side whatever it has found. */
static gboolean on_certificate(GTlsConnection *tls, GTlsCertificate *peer, GTlsCertificateFlags wrong, gpointer data)
{
	return wrong == 0;
}

GTlsConnection *remote_tls(struct remote *m, GIOStream *stream, GError **error)
{
	GTlsConnection *tls = NULL;

	pthread_mutex_lock(&m->lock);
	if (m->certificate)	/* a database is set here, be it none: else each connection loads the system's, 4 MiB */
		tls = g_initable_new(g_tls_backend_get_server_connection_type(g_tls_backend_get_default()), NULL, error,
				     "base-io-stream", stream, "certificate", m->certificate, "database", m->clients,
				     "authentication-mode", m->clients ? G_TLS_AUTHENTICATION_REQUIRED :
				     G_TLS_AUTHENTICATION_NONE, NULL);
	if (tls && m->clients)
		g_signal_connect(tls, "accept-certificate", G_CALLBACK(on_certificate), NULL);
	pthread_mutex_unlock(&m->lock);
	return tls;
}

/* ---- who asks ---- */

/* How long it takes tells the length of what was given, and nothing of ours. */
static bool same_token(const char *token, const char *given)
{
	size_t len = strlen(token), n = strlen(given);
	volatile unsigned differ = len != n;

	for (size_t i = 0; i < n; i++)
		differ |= (unsigned char)given[i] ^ (unsigned char)token[i % len];
	return !differ;
}

/*
 * A page in a browser may have a name of its own lead to us (DNS rebinding); the name it then asks for is not one of
 * ours: a number, "localhost", what this machine is called, or what the certificate is for.
 */
static bool is_our_name(const struct remote *m, const char *host)
{
	const char *end = *host == '[' ? strchr(host, ']') : strrchr(host, ':');
	g_autofree char *name = *host == '[' ? g_strndup(host + 1, end ? (size_t)(end - host - 1) : 0) :
					       g_strndup(host, end ? (size_t)(end - host) : strlen(host));
	GSocketConnectable *identity;
	GTlsCertificateFlags flags;

	if (g_hostname_is_ip_address(name) || !g_ascii_strcasecmp(name, "localhost") ||
	    !g_ascii_strcasecmp(name, g_get_host_name()))
		return true;
	if (!m->certificate || !*name)
		return false;
	identity = g_network_address_new(name, 0);
	flags = g_tls_certificate_verify(m->certificate, identity, NULL);
	g_object_unref(identity);
	return !(flags & (G_TLS_CERTIFICATE_BAD_IDENTITY | G_TLS_CERTIFICATE_GENERIC_ERROR));
}

/* RFC 6750 3.1 */
static struct refusal token_refusal(const struct remote *m, const char *header)
{
	static const struct refusal none = { SOUP_STATUS_UNAUTHORIZED, "a token is needed", "Bearer realm=\"gotgt\"" };
	static const struct refusal bad = { SOUP_STATUS_UNAUTHORIZED, "the token is not the one",
					    "Bearer realm=\"gotgt\", error=\"invalid_token\"" };
	static const char scheme[] = "Bearer ";

	if (!header || g_ascii_strncasecmp(header, scheme, strlen(scheme)))
		return none;
	header += strlen(scheme);
	while (*header == ' ')
		header++;
	if (!same_token(m->token, header))
		return bad;
	return (struct refusal){ 0 };
}

/* Of browsers we know no good: what a page would have sent says so by Origin, and no answer allows one (CORS). */
static struct refusal judge(const struct remote *m, SoupMessageHeaders *h, bool loopback)
{
	const char *host = soup_message_headers_get_list(h, "Host");

	if (soup_message_headers_get_list(h, "Origin"))
		return (struct refusal){ SOUP_STATUS_FORBIDDEN, "not from a page in a browser: there is an Origin", NULL };
	if (host && !is_our_name(m, host))
		return (struct refusal){ SOUP_STATUS_MISDIRECTED_REQUEST,
					 "the name in Host is none of ours: expected an address, localhost, this machine's name, or "
					 "one that the certificate is for", NULL };
	if (!m->token || (loopback && m->conf.without_token))
		return (struct refusal){ 0 };
	return token_refusal(m, soup_message_headers_get_list(h, "Authorization"));
}

struct refusal remote_refusal(struct remote *m, SoupMessageHeaders *h, bool loopback)
{
	struct refusal r;

	pthread_mutex_lock(&m->lock);
	r = judge(m, h, loopback);
	pthread_mutex_unlock(&m->lock);
	return r;
}
