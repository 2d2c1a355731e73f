/* SPDX-License-Identifier: Apache-2.0 */
/* accounts.c - reads and checks secrets.  No message has one. */
#include "config.h"
#include <string.h>
#include <sys/stat.h>
#include "config/accounts.h"
#include "config/secret.h"
#include "config/server.h"
#include "engine/log.h"
#include "engine/vault.h"

#define LOG_DOMAIN LOGD_CONFIG

#define FAIL(...) g_set_error(error, SERVER_ERROR, 0, __VA_ARGS__)

static const struct {
	const char *name;
	uint8_t algorithm;
	bool fips;	/* allowed there */
} algorithms[] = {
	{ "sha3-256", CHAP_SHA3_256, true }, { "sha256", CHAP_SHA256, true },
	{ "sha1", CHAP_SHA1, false }, { "md5", CHAP_MD5, false },
};

/* Where one secret may be. */
struct place {
	const char *what;	/* "secret" or "mutual-secret" */
	const char *text, *file, *credential;
};

static struct place place_of(const struct conf_account *a, bool mutual)
{
	return mutual ? (struct place){ "mutual-secret", a->mutual_secret, a->mutual_secret_file, a->mutual_secret_credential } :
			(struct place){ "secret", a->secret, a->secret_file, a->secret_credential };
}

static unsigned places(const struct place *p)
{
	return !!p->text + !!p->file + !!p->credential;
}

static char *read_credential(const char *name, GError **error)
{
	const char *dir = g_getenv("CREDENTIALS_DIRECTORY");
	g_autofree char *path = dir ? g_build_filename(dir, name, NULL) : NULL;

	if (path)
		return secret_read(path, true, error);
	FAIL("credential %s: $CREDENTIALS_DIRECTORY is not set", name);
	return NULL;
}

/* To be wiped. */
static char *read_secret(const struct place *p, bool short_ones, GError **error)
{
	char *secret = p->text ? vault_strdup(p->text) : p->file ? secret_read(p->file, false, error) :
						     read_credential(p->credential, error);
	size_t len = secret ? strlen(secret) : 0;

	if (!secret)
		return NULL;
	if (len && len <= CHAP_SECRET_MAX && (short_ones || len >= CHAP_SECRET_MIN))
		return secret;
	vault_free(secret);
	if (!len || len > CHAP_SECRET_MAX)
		FAIL("expected 1 to %d bytes", CHAP_SECRET_MAX);
	else
		FAIL("shorter than %d bytes (RFC 7143 12.1.3); short-secrets = true in a configuration accepts it", CHAP_SECRET_MIN);
	return NULL;
}

/* What can be said without reading it. */
static bool check_form(const struct conf_account *a, GError **error)
{
	struct place own = place_of(a, false), mutual = place_of(a, true);

	if (places(&own) != 1)
		FAIL("expected one of secret, secret-file and secret-credential");
	else if (places(&mutual) > 1)
		FAIL("expected one of mutual-secret, mutual-secret-file and mutual-secret-credential");
	else if (places(&mutual) && !a->mutual_user)
		FAIL("a mutual secret without mutual-user");
	else if (a->mutual_user && !places(&mutual))
		FAIL("mutual-user without a mutual secret");
	else
		return true;
	return false;
}

static bool add_account(const struct conf *c, const struct conf_account *a, struct auth *auth, GError **error)
{
	struct place own = place_of(a, false), mutual = place_of(a, true);
	char *secret, *mutual_secret = NULL;
	bool ok;

	if (!check_form(a, error))
		return false;
	secret = read_secret(&own, c->short_secrets, error);
	if (!secret)
		g_prefix_error(error, "%s: ", own.what);
	else if (places(&mutual) && !(mutual_secret = read_secret(&mutual, c->short_secrets, error)))
		g_prefix_error(error, "%s: ", mutual.what);
	ok = secret && (mutual_secret || !places(&mutual));
	if (ok)
		auth_add(auth, a->user, secret, a->mutual_user, mutual_secret);
	vault_free(secret);
	vault_free(mutual_secret);
	return ok;
}

/* In the order of preference.  How many; 0 when a name is unknown, or none is left: then *why is set. */
static unsigned order_of(const struct conf *c, uint8_t order[CHAP_ALGORITHMS], char **why)
{
	unsigned n = 0, want = c->chap_algorithms ? g_strv_length(c->chap_algorithms) : G_N_ELEMENTS(algorithms);

	*why = NULL;
	for (unsigned w = 0; w < want && !*why; w++) {
		const char *name = c->chap_algorithms ? c->chap_algorithms[w] : algorithms[w].name;
		unsigned i = 0;

		while (i < G_N_ELEMENTS(algorithms) && strcmp(algorithms[i].name, name))
			i++;
		if (i == G_N_ELEMENTS(algorithms))
			*why = g_strdup_printf("chap-algorithms: \"%s\" is none of sha3-256, sha256, sha1, md5", name);
		else if (memchr(order, algorithms[i].algorithm, n))
			*why = g_strdup_printf("chap-algorithms: %s comes twice", name);
		else if (!chap_digest_len(algorithms[i].algorithm) && c->chap_algorithms)
			*why = g_strdup_printf("chap-algorithms: %s is not in this build", name);
		else if (chap_digest_len(algorithms[i].algorithm) && (algorithms[i].fips || !c->fips))
			order[n++] = algorithms[i].algorithm;
	}
	if (!*why && !n)
		*why = g_strdup("chap-algorithms: none that fips = true allows");
	return *why ? 0 : n;
}

/* Is a mutual secret somebody's own one?  Then a response of either could be had from the other (12.1.3). */
static const struct conf_account *shared(const struct auth *auth, const GPtrArray *accounts)
{
	int i = auth_shared_secret(auth);

	return i < 0 ? NULL : accounts->pdata[i];
}

static void check_list(const struct conf *c, const char *path, const GPtrArray *accounts, GPtrArray *errors)
{
	struct auth *auth = auth_new((const uint8_t *)"", 0);
	const struct conf_account *bad;
	bool ok = true;

	for (unsigned i = 0; i < accounts->len; i++) {
		const struct conf_account *a = accounts->pdata[i];
		g_autoptr(GError) error = NULL;

		for (unsigned j = 0; j < i; j++)
			if (!strcmp(((const struct conf_account *)accounts->pdata[j])->user, a->user))
				conf_error(errors, &a->where, "%saccount %s: a second one of that user", path, a->user);
		if (!add_account(c, a, auth, &error)) {
			conf_error(errors, &a->where, "%saccount %s: %s", path, a->user, error->message);
			ok = false;
		}
	}
	bad = ok ? shared(auth, accounts) : NULL;
	if (bad)
		conf_error(errors, &bad->where, "%saccount %s: its mutual-secret is an initiator's secret too", path, bad->user);
	auth_unref(auth);
}

/* A file everybody can read is no place for secrets. */
static void warn_readable(const GPtrArray *accounts, GHashTable *warned)
{
	for (unsigned i = 0; i < accounts->len; i++) {
		const struct conf_account *a = accounts->pdata[i];
		struct stat st;

		if ((a->secret || a->mutual_secret) && a->where.file && !stat(a->where.file, &st) && st.st_mode & S_IROTH &&
		    g_hash_table_add(warned, (gpointer)a->where.file))
			log_warning("%s: has secrets, and everybody can read it", a->where.file);
	}
}

void accounts_check(const struct conf *c, GPtrArray *errors)
{
	g_autoptr(GHashTable) warned = g_hash_table_new(g_str_hash, g_str_equal);
	uint8_t order[CHAP_ALGORITHMS];
	g_autofree char *why = NULL;

	if (!order_of(c, order, &why))
		conf_error(errors, &c->chap_where, "%s", why);
	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];
		g_autofree char *path = g_strdup_printf("target %s ", t->iqn);

		check_list(c, path, t->accounts, errors);
		warn_readable(t->accounts, warned);
	}
	check_list(c, "discovery ", c->discovery.accounts, errors);
	warn_readable(c->discovery.accounts, warned);
}

static bool make(const struct conf *c, const void *of, const GPtrArray *accounts, GHashTable *auths, GError **error)
{
	uint8_t order[CHAP_ALGORITHMS];
	g_autofree char *why = NULL;
	unsigned n = order_of(c, order, &why);
	struct auth *auth;

	if (!accounts->len)
		return true;
	if (!n) {
		FAIL("%s", why);
		return false;
	}
	auth = auth_new(order, n);
	g_hash_table_insert(auths, (gpointer)of, auth);
	const struct conf_account *twice;

	for (unsigned i = 0; i < accounts->len; i++) {
		const struct conf_account *a = accounts->pdata[i];

		if (!add_account(c, a, auth, error)) {
			g_prefix_error(error, "account %s: ", a->user);
			return false;
		}
	}
	twice = shared(auth, accounts);
	if (!twice)
		return true;
	FAIL("account %s: its mutual-secret is an initiator's secret too", twice->user);
	return false;
}

GHashTable *accounts_table_new(void)
{
	return g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)auth_unref);
}

/* Always anew: a secret can have changed in its file. */
bool accounts_make(const struct conf *c, GHashTable *auths, GError **error)
{
	for (unsigned i = 0; i < c->targets->len; i++) {
		const struct conf_target *t = c->targets->pdata[i];

		if (!make(c, t, t->accounts, auths, error)) {
			g_prefix_error(error, "target %s ", t->iqn);
			return false;
		}
	}
	if (make(c, c, c->discovery.accounts, auths, error))
		return true;
	g_prefix_error(error, "discovery ");
	return false;
}
