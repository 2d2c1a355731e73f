/* SPDX-License-Identifier: Apache-2.0 */
/* chap.c - the steps of CHAP: CHAP_A; CHAP_A,I,C; CHAP_N,R[,I,C]; [CHAP_N,R]. */
#include "config.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#ifdef HAVE_GCRYPT
#include <gcrypt.h>
#endif
#include "iscsi/chap.h"
#include "iscsi/keys.h"

/* GLib has no SHA-3. */
static const struct {
	size_t len;
	bool gcrypt;
	GChecksumType type;
} algorithms[] = {
	[CHAP_MD5] = { 16, false, G_CHECKSUM_MD5 },
	[CHAP_SHA1] = { 20, false, G_CHECKSUM_SHA1 },
	[CHAP_SHA256] = { 32, false, G_CHECKSUM_SHA256 },
#ifdef HAVE_GCRYPT
	[CHAP_SHA3_256] = { 32, true, 0 },
#endif
};

size_t chap_digest_len(unsigned algorithm)
{
	return algorithm < G_N_ELEMENTS(algorithms) ? algorithms[algorithm].len : 0;
}

static size_t sum(GChecksumType type, const uint8_t *bytes, size_t len, uint8_t *out)
{
	static const uint8_t nothing[2 * 64];	/* twice a block of any of them */
	GChecksum *sum = g_checksum_new(type);
	gsize size = CHAP_DIGEST_MAX;

	g_checksum_update(sum, bytes, (gssize)len);
	g_checksum_get_digest(sum, out, &size);
	/* It has the last block, in memory that GLib may keep as it is. */
	g_checksum_reset(sum);
	g_checksum_update(sum, nothing, sizeof nothing);
	g_checksum_free(sum);
	return size;
}

#ifdef HAVE_GCRYPT
static void gcrypt_begin(void)
{
	if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
		return;
	gcry_check_version(NULL);
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

static size_t sum_gcrypt(const uint8_t *bytes, size_t len, uint8_t *out)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, gcrypt_begin);
	gcry_md_hash_buffer(GCRY_MD_SHA3_256, out, bytes, len);
	return 32;
}
#endif

size_t chap_digest(unsigned algorithm, uint8_t id, const char *secret, const uint8_t *challenge, size_t challenge_len,
		   uint8_t *out)
{
	uint8_t all[1 + CHAP_SECRET_MAX + CHAP_CHALLENGE_MAX];
	size_t len = strlen(secret), got = 0;

	if (!chap_digest_len(algorithm) || len > CHAP_SECRET_MAX || challenge_len > CHAP_CHALLENGE_MAX)
		return 0;
	all[0] = id;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): bytes to be hashed */
	memcpy(all + 1, secret, len);
	memcpy(all + 1 + len, challenge, challenge_len);
	if (!algorithms[algorithm].gcrypt)
		got = sum(algorithms[algorithm].type, all, 1 + len + challenge_len, out);
#ifdef HAVE_GCRYPT
	else
		got = sum_gcrypt(all, 1 + len + challenge_len, out);
#endif
	explicit_bzero(all, sizeof all);
	return got;
}

static bool decode_hex(const char *text, uint8_t *out, size_t max, size_t *len)
{
	size_t digits = strlen(text), at = 0;

	if (!digits || (digits + 1) / 2 > max)
		return false;
	memset(out, 0, (digits + 1) / 2);
	/* An odd number of digits is a number whose first one is 0. */
	for (size_t place = digits & 1; *text; text++, place++) {
		int v = g_ascii_xdigit_value(*text);

		if (v < 0)
			return false;
		at = place / 2;
		out[at] |= (uint8_t)(place & 1 ? v : v << 4);
	}
	*len = at + 1;
	return true;
}

static int base64_value(char c)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(letters, c) : NULL;

	return at ? (int)(at - letters) : -1;
}

/* RFC 4648 4, strictly: whole groups, padding at the end alone, no bits behind the last byte. */
static bool decode_base64(const char *text, uint8_t *out, size_t max, size_t *len)
{
	size_t n = strlen(text), pad = 0, at = 0;
	uint32_t bits = 0;
	unsigned have = 0;

	while (pad < 2 && pad < n && text[n - 1 - pad] == '=')
		pad++;
	if (!n || n % 4 || n / 4 * 3 - pad > max)
		return false;
	for (size_t i = 0; i < n - pad; i++) {
		int v = base64_value(text[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[at++] = (uint8_t)(bits >> have);
		}
	}
	*len = at;
	return at && !(bits & ((1u << have) - 1));
}

bool chap_decode(const char *text, uint8_t *out, size_t max, size_t *len)
{
	if (text[0] != '0')
		return false;
	switch (text[1]) {
	case 'x':
	case 'X':
		return decode_hex(text + 2, out, max, len);
	case 'b':
	case 'B':
		return decode_base64(text + 2, out, max, len);
	default:
		return false;
	}
}

unsigned chap_choose(const char *list, const uint8_t *order, unsigned n_order)
{
	g_auto(GStrv) words = g_strsplit(list, ",", -1);

	for (unsigned n = 0; n < n_order; n++)
		for (char **w = words; *w; w++) {
			uint32_t number;

			if (keys_parse_number(*w, &number) && number == order[n] && chap_digest_len(number))
				return number;
		}
	return 0;
}

bool chap_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	volatile uint8_t differ = 0;

	for (size_t i = 0; i < len; i++)
		differ |= a[i] ^ b[i];
	return !differ;
}

void chap_wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	g_free(text);
}

static void append_hex(GByteArray *out, const char *key, const uint8_t *bytes, size_t len)
{
	g_autoptr(GString) text = g_string_new("0x");

	for (size_t i = 0; i < len; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
	keys_append(out, key, text->str);
}

static bool random_bytes(void *buf, size_t len)
{
	ssize_t got;

	do
		got = getrandom(buf, len, 0);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)len;
}

#define GOOD ((struct chap_verdict){ LOGIN_SUCCESS, NULL })
#define BAD(s, w) ((struct chap_verdict){ (s), (w) })

static struct chap_verdict step_algorithm(struct chap *c, const struct chap_rules *rules, const struct chap_keys *in,
					  GByteArray *out)
{
	if (in->i || in->c || in->n || in->r)
		return BAD(LOGIN_INITIATOR_ERROR, "CHAP keys out of order");
	if (!in->a)
		return BAD(LOGIN_MISSING_PARAMETER, "no CHAP_A");
	c->algorithm = chap_choose(in->a, rules->order, rules->n_order);
	if (!c->algorithm)
		return BAD(LOGIN_AUTH_FAILURE, "no CHAP algorithm in common");
	if (!random_bytes(&c->id, 1) || !random_bytes(c->challenge, sizeof c->challenge))
		return BAD(LOGIN_TARGET_ERROR, "no random bytes for a challenge");
	keys_append_number(out, "CHAP_A", c->algorithm);
	keys_append_number(out, "CHAP_I", c->id);
	append_hex(out, "CHAP_C", c->challenge, sizeof c->challenge);
	c->step = CHAP_WANTS_R;
	return GOOD;
}

static const struct chap_account *find(const struct chap_rules *rules, const char *user)
{
	for (guint i = 0; i < rules->accounts->len; i++) {
		const struct chap_account *a = rules->accounts->pdata[i];

		if (!strcmp(a->user, user))
			return a;
	}
	return NULL;
}

/* Is the response what the account's secret makes of our challenge?  An unknown user takes as long as a known one. */
static struct chap_verdict verify(const struct chap *c, const struct chap_account *account, const char *response)
{
	uint8_t want[CHAP_DIGEST_MAX], got[CHAP_DIGEST_MAX];
	size_t len = chap_digest_len(c->algorithm), got_len;
	bool same;

	if (!chap_decode(response, got, sizeof got, &got_len) || got_len != len)
		return BAD(LOGIN_INITIATOR_ERROR, "CHAP_R is not a digest of the algorithm");
	same = chap_digest(c->algorithm, c->id, account ? account->secret : "nobody's secret", c->challenge,
			   sizeof c->challenge, want) == len && chap_same(want, got, len);
	explicit_bzero(want, sizeof want);
	explicit_bzero(got, sizeof got);
	if (!account)
		return BAD(LOGIN_AUTH_FAILURE, "no such user");
	return same ? GOOD : BAD(LOGIN_AUTH_FAILURE, "the wrong CHAP response");
}

/* We are asked who we are.  A challenge of ours that comes back would have us answer for the initiator: 9.2.1. */
static struct chap_verdict answer(const struct chap *c, const struct chap_rules *rules,
				  const struct chap_account *account, const struct chap_keys *in, GByteArray *out)
{
	uint8_t challenge[CHAP_CHALLENGE_MAX], digest[CHAP_DIGEST_MAX];
	uint32_t id;
	size_t len;

	if (!in->i || !in->c)
		return BAD(LOGIN_MISSING_PARAMETER, "CHAP_I without CHAP_C, or CHAP_C without CHAP_I");
	if (!keys_parse_number(in->i, &id) || id > UINT8_MAX)
		return BAD(LOGIN_INITIATOR_ERROR, "CHAP_I is not one byte");
	if (!chap_decode(in->c, challenge, sizeof challenge, &len) || len < CHAP_CHALLENGE_MIN)
		return BAD(LOGIN_INITIATOR_ERROR, "CHAP_C is not a challenge of 16 to 1024 bytes");
	if ((len == sizeof c->challenge && !memcmp(challenge, c->challenge, len)) ||
	    rules->is_ours(rules->arg, challenge, len))
		return BAD(LOGIN_AUTH_FAILURE, "our own challenge as CHAP_C");
	if (!account->mutual_secret)
		return BAD(LOGIN_AUTH_FAILURE, "it wants us to authenticate, and there is no mutual-secret");
	len = chap_digest(c->algorithm, (uint8_t)id, account->mutual_secret, challenge, len, digest);
	keys_append(out, "CHAP_N", account->mutual_user);
	append_hex(out, "CHAP_R", digest, len);
	explicit_bzero(digest, sizeof digest);
	return GOOD;
}

static struct chap_verdict step_response(struct chap *c, const struct chap_rules *rules, const struct chap_keys *in,
					 GByteArray *out)
{
	const struct chap_account *account;
	struct chap_verdict v;

	if (in->a)
		return BAD(LOGIN_INITIATOR_ERROR, "CHAP keys out of order");
	if (in->n)
		c->user = g_strdup(in->n);
	if (!in->n || !in->r)
		return BAD(LOGIN_MISSING_PARAMETER, "no CHAP_N or no CHAP_R");
	account = find(rules, in->n);
	v = verify(c, account, in->r);
	if (!v.why && (in->i || in->c))
		v = answer(c, rules, account, in, out);
	if (!v.why)
		c->step = CHAP_DONE;
	return v;
}

static struct chap_verdict step_after(struct chap *c, const struct chap_rules *rules, const struct chap_keys *in,
				      GByteArray *out)
{
	return in->a || in->i || in->c || in->n || in->r ? BAD(LOGIN_INITIATOR_ERROR, "CHAP keys after the last step") : GOOD;
}

struct chap_verdict chap_step(struct chap *c, const struct chap_rules *rules, const struct chap_keys *in, GByteArray *out)
{
	static struct chap_verdict (*const steps[])(struct chap *, const struct chap_rules *, const struct chap_keys *,
						    GByteArray *) = {
		[CHAP_WANTS_A] = step_algorithm, [CHAP_WANTS_R] = step_response, [CHAP_DONE] = step_after,
	};

	return steps[c->step](c, rules, in, out);
}

void chap_clear(struct chap *c)
{
	g_free(c->user);
	explicit_bzero(c, sizeof *c);
}
