/* SPDX-License-Identifier: Apache-2.0 */
/* schema.c - the table, and what can be done with a row of it. */
#include "config.h"
#include <string.h>
#include <gotgt/plugin.h>
#include "config/conf.h"
#include "config/schema.h"
#include "engine/engine.h"
#include "engine/log.h"
#include "engine/vault.h"
#include "iscsi/address.h"
#include "iscsi/chap.h"
#include "iscsi/cmd.h"
#include "scsi/alua.h"
#include "scsi/target.h"

/* A PDU that is not a command's data is received whole into one buffer, with its header and digests. */
#define RECV_MAX (BUF_MAX / 2)

#define FIELD(strct, field) .offset = offsetof(strct, field)

static const struct setting_choice log_levels[] = {
	{ "error", GOTGT_LOG_ERROR }, { "warn", GOTGT_LOG_WARNING }, { "info", GOTGT_LOG_INFO },
	{ "debug", GOTGT_LOG_DEBUG }, { NULL },
};
static const struct setting_choice confines[] = {
	{ "auto", CONFINE_AUTO }, { "off", CONFINE_OFF }, { "required", CONFINE_REQUIRED }, { NULL },
};
static const struct setting_choice block_sizes[] = { { "512", 512 }, { "4096", 4096 }, { NULL } };
static const struct setting_choice alua_states[] = {
	{ "active-optimized", ALUA_OPTIMIZED }, { "active-non-optimized", ALUA_NON_OPTIMIZED }, { "standby", ALUA_STANDBY },
	{ "unavailable", ALUA_UNAVAILABLE }, { NULL },
};
/* See struct params. */
static const struct setting_choice digests[] = { { "none", 0 }, { "allowed", 1 }, { "required", 2 }, { NULL } };

/* SPC-5 4.4.1: ASCII data fields hold 0x20 to 0x7e. */
static const char *ascii_check(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return "not printable ASCII";
	return NULL;
}

/* SPC-5 7.8.6.6: IEEE Extended, Locally Assigned, IEEE Registered; 6h has 16 bytes. */
static const char *naa_check(const char *text)
{
	if (strspn(text, "0123456789abcdef") != 16 || text[16])
		return "not 16 hexadecimal digits in lower case";
	return strchr("235", *text) ? NULL : "does not start with 2, 3 or 5";
}

/* systemd.exec(5): the name of a file in $CREDENTIALS_DIRECTORY. */
static const char *credential_check(const char *text)
{
	return strchr(text, '/') || !strcmp(text, ".") || !strcmp(text, "..") ? "not a file name" : NULL;
}

static const char *socket_check(const char *text)
{
	return *text == '/' || !strcmp(text, "off") ? NULL : "neither an absolute path nor off";
}

static const char *utf8_check(const char *text)
{
	return g_utf8_validate(text, -1, NULL) ? NULL : "not UTF-8";
}

/* A secret in the file, in one of its own, or from the service manager. */
#define SECRETS(prefix, field, text) \
	{ CONF_ACCOUNT, SETTING_STRING, prefix "secret", .otherwise = "none", .min = 1, .max = CHAP_SECRET_MAX, .secret = true, \
	  FIELD(struct conf_account, field), .help = text }, \
	{ CONF_ACCOUNT, SETTING_STRING, prefix "secret-file", .otherwise = "none", .min = 1, .max = 4000, \
	  FIELD(struct conf_account, field##_file), \
	  .help = "File that holds it, with no access for group and others; a newline at its end is not part of it." }, \
	{ CONF_ACCOUNT, SETTING_STRING, prefix "secret-credential", .otherwise = "none", .min = 1, .max = 255, \
	  .check = credential_check, FIELD(struct conf_account, field##_credential), \
	  .help = "Name of the systemd credential that holds it." }

const struct setting schema[] = {
	{ CONF_TOP, SETTING_UINT, "reactors", "0", .max = ENGINE_REACTORS_MAX, .restart = true, FIELD(struct conf, reactors),
	  .help = "Threads that serve connections; 0 is one for each CPU." },
	{ CONF_TOP, SETTING_UINT, "workers", "8", .min = 1, .max = 1024, .restart = true, FIELD(struct conf, workers),
	  .help = "Threads that one logical unit of a plugin that blocks may take; for all there are four times as many, each started when first needed." },
	{ CONF_TOP, SETTING_UINT, "poll-us", "50", .max = 10000, FIELD(struct conf, poll_us),
	  .help = "Microseconds for which a busy connection thread, or one of the workers, looks for more before it sleeps: less "
		  "latency for more CPU; it sleeps at once when idle." },
	{ CONF_TOP, SETTING_CHOICE, "log-level", "info", .choices = log_levels, FIELD(struct conf, log_level),
	  .help = "The least serious messages that are logged." },
	{ CONF_TOP, SETTING_LIST, "log-levels", .child = CONF_LOG, FIELD(struct conf, log_levels),
	  .help = "The same for a part of them." },
	{ CONF_TOP, SETTING_STRING, "state-dir", .min = 1, .max = 4000,
	  .otherwise = "/var/lib/gotgt, or ~/.gotgt/state for a user", .restart = true, FIELD(struct conf, state_dir),
	  .help = "Folder for what must outlive a restart: reservations, saved mode pages, an unfinished sanitize." },
	{ CONF_TOP, SETTING_CHOICE, "confine", "auto", .choices = confines, .restart = true, FIELD(struct conf, confine),
	  .help = "Give up new privileges, and system calls that a target does not need (seccomp): as far as it can be had, not at all, or do not start without." },
	{ CONF_TOP, SETTING_NAMES, "confine-paths", .otherwise = "anywhere", .restart = true, FIELD(struct conf, confine_paths),
	  .help = "Folders for files of logical units: open none elsewhere, but for what the configuration names at the start (Landlock)." },
	{ CONF_TOP, SETTING_GROUP, "limits", .child = CONF_LIMITS, .restart = true, FIELD(struct conf, limits),
	  .help = "What protects the daemon from its peers." },
	{ CONF_TOP, SETTING_GROUP, "control", .child = CONF_CONTROL, .restart = true, FIELD(struct conf, control),
	  .help = "The socket on which the running daemon is asked and changed." },
	{ CONF_TOP, SETTING_GROUP, "iscsi", .child = CONF_ISCSI, FIELD(struct conf, iscsi),
	  .help = "What is offered in a login." },
	{ CONF_TOP, SETTING_NAMES, "chap-algorithms", .otherwise = "sha3-256, sha256, sha1, md5",
	  FIELD(struct conf, chap_algorithms), .help = "CHAP algorithms that are accepted, the preferred one first." },
	{ CONF_TOP, SETTING_BOOL, "fips", "false", FIELD(struct conf, fips),
	  .help = "Refuse the CHAP algorithms md5 and sha1." },
	{ CONF_TOP, SETTING_BOOL, "short-secrets", "false", FIELD(struct conf, short_secrets),
	  .help = "Accept secrets of less than 12 bytes, which RFC 7143 forbids without IPsec." },
	{ CONF_TOP, SETTING_GROUP, "discovery", .child = CONF_DISCOVERY, FIELD(struct conf, discovery),
	  .help = "Discovery sessions." },
	{ CONF_TOP, SETTING_LIST, "portals", .child = CONF_PORTAL, FIELD(struct conf, portals),
	  .help = "Addresses to listen on." },
	{ CONF_TOP, SETTING_LIST, "targets", .child = CONF_TARGET, FIELD(struct conf, targets),
	  .help = "What initiators log in to." },

	{ CONF_LIMITS, SETTING_UINT, "login-timeout", "15", .unit = "seconds", .min = 1, .max = 3600,
	  FIELD(struct conf_limits, login_timeout_s), .help = "Time a login may take." },
	{ CONF_LIMITS, SETTING_UINT, "nop-interval", "30", .unit = "seconds", .max = 3600,
	  FIELD(struct conf_limits, nop_interval_s),
	  .help = "Silence before an initiator is asked for a sign of life; 0 never asks." },
	{ CONF_LIMITS, SETTING_UINT, "nop-timeout", "30", .unit = "seconds", .min = 1, .max = 3600,
	  FIELD(struct conf_limits, nop_timeout_s), .help = "Time to answer that before the connection is dropped." },
	{ CONF_LIMITS, SETTING_UINT, "tcp-user-timeout", "60", .unit = "seconds", .max = 3600,
	  FIELD(struct conf_limits, tcp_user_timeout_s),
	  .help = "Time TCP waits for sent data to be acknowledged (TCP_USER_TIMEOUT); 0 leaves it to the system." },
	{ CONF_LIMITS, SETTING_UINT, "queue-depth", "128", .unit = "commands", .min = 1, .max = 1024,
	  FIELD(struct conf_limits, queue_depth), .help = "Commands a session may have open." },
	{ CONF_LIMITS, SETTING_UINT, "max-connections", "4096", .min = 1, .max = 1000000,
	  FIELD(struct conf_limits, max_connections), .help = "Connections at one time, to all targets." },
	{ CONF_LIMITS, SETTING_UINT, "max-logins", "256", .min = 1, .max = 1000000,
	  FIELD(struct conf_limits, max_logins), .help = "Connections at one time that have not logged in yet; the oldest makes room for one more." },
	{ CONF_LIMITS, SETTING_UINT, "max-logins-per-address", "128", .min = 1, .max = 1000000,
	  FIELD(struct conf_limits, max_logins_per_address),
	  .help = "Of these from one IPv4 address, or one IPv6 /64." },
	{ CONF_LIMITS, SETTING_UINT, "max-command-memory", "1024", .unit = "MiB", .min = 64, .max = 1u << 20,
	  FIELD(struct conf_limits, max_command_memory_mib),
	  .help = "Memory for the data of commands; when it is used up, sessions that hold more than their share are told TASK SET FULL." },

	{ CONF_CONTROL, SETTING_STRING, "socket", .min = 1, .max = 107, .check = socket_check,
	  .otherwise = "/run/gotgt/gotgt.sock, or gotgt/gotgt.sock in $XDG_RUNTIME_DIR, or ~/.gotgt/gotgt.sock for a user",
	  FIELD(struct conf_control, socket), .help = "Path of a unix socket, or off." },
	{ CONF_CONTROL, SETTING_STRING, "group", "gotgt", .min = 1, .max = 64, FIELD(struct conf_control, group),
	  .help = "Group that may use the socket beside the daemon's own user, when there is one of this name." },
	{ CONF_CONTROL, SETTING_NAMES, "addresses", .otherwise = "none", FIELD(struct conf_control, addresses),
	  .help = "Where to listen for TCP, too: ADDRESS:PORT with a numeric address, an IPv6 one in [ ]; port 0 takes a free one." },
	{ CONF_CONTROL, SETTING_STRING, "token-file", .otherwise = "none", .min = 1, .max = 4000,
	  FIELD(struct conf_control, token_file),
	  .help = "File with the token that requests over TCP have to bring, with no access for group and others." },
	{ CONF_CONTROL, SETTING_STRING, "tls-certificate", .otherwise = "none", .min = 1, .max = 4000,
	  FIELD(struct conf_control, tls_certificate),
	  .help = "File with the certificate, and those that it is signed by (PEM); with it TCP is TLS only." },
	{ CONF_CONTROL, SETTING_STRING, "tls-key", .otherwise = "in tls-certificate", .min = 1, .max = 4000,
	  FIELD(struct conf_control, tls_key), .help = "File with its key (PEM), with no access for others." },
	{ CONF_CONTROL, SETTING_STRING, "tls-client-ca", .otherwise = "none", .min = 1, .max = 4000,
	  FIELD(struct conf_control, tls_client_ca),
	  .help = "File with certificates (PEM); clients need one that is signed by one of them, beside the token." },
	{ CONF_CONTROL, SETTING_BOOL, "without-token", "false", FIELD(struct conf_control, without_token),
	  .help = "Admit every user of this machine, by 127.0.0.1 and the like, without a token." },
	{ CONF_CONTROL, SETTING_BOOL, "without-tls", "false", FIELD(struct conf_control, without_tls),
	  .help = "Listen beyond this machine without TLS: who is in between reads the token." },

	{ CONF_LOG, SETTING_STRING, "domain", .min = 1, .max = 80, .check = log_domain_wrong, .required = true,
	  FIELD(struct conf_log, domain), .help = "What the messages are about." },
	{ CONF_LOG, SETTING_CHOICE, "level", .choices = log_levels, .required = true, FIELD(struct conf_log, level),
	  .help = "The least serious ones that are logged." },

	{ CONF_PORTAL, SETTING_STRING, "name", .otherwise = "none", .min = 1, .max = 64, .check = ascii_check,
	  FIELD(struct conf_portal, name), .help = "What a target's portals setting calls it." },
	{ CONF_PORTAL, SETTING_STRING, "address", .min = 1, .max = 64, .check = address_bind_wrong, .required = true,
	  FIELD(struct conf_portal, address), .help = "Numeric IPv4 or IPv6 address, a link-local one as ADDRESS%INTERFACE; 0.0.0.0 or :: for every one." },
	{ CONF_PORTAL, SETTING_UINT, "port", "3260", .max = 65535, FIELD(struct conf_portal, port),
	  .help = "TCP port; 0 takes a free one, which is logged." },
	{ CONF_PORTAL, SETTING_STRING, "advertise", .otherwise = "as bound; for every address the one that was reached",
	  .min = 1, .max = ADDRESS_MAX - 1, .check = address_target_wrong, FIELD(struct conf_portal, advertise),
	  .help = "Address told to initiators, as HOST or HOST:PORT: a DNS name, an IPv4 address or an IPv6 address in [ ]." },

	{ CONF_TARGET, SETTING_STRING, "iqn", .min = 1, .max = 223, .check = iscsi_name_check, .required = true,
	  FIELD(struct conf_target, iqn), .help = "iSCSI name: iqn.YYYY-MM.DOMAIN[:NAME], eui. or naa., in lower case." },
	{ CONF_TARGET, SETTING_STRING, "alias", .otherwise = "none", .max = 255, .check = utf8_check,
	  FIELD(struct conf_target, alias), .help = "Text that tells people what it is." },
	{ CONF_TARGET, SETTING_NAMES, "portals", .otherwise = "all portals", FIELD(struct conf_target, portals),
	  .help = "Names of the portals it is reached through." },
	{ CONF_TARGET, SETTING_LIST, "port-groups", .child = CONF_GROUP, FIELD(struct conf_target, groups),
	  .help = "Target port groups (ALUA); portals in none of them are in group 1." },
	{ CONF_TARGET, SETTING_BOOL, "explicit-alua", "false", FIELD(struct conf_target, explicit_alua),
	  .help = "Let initiators set the state of groups (SET TARGET PORT GROUPS)." },
	{ CONF_TARGET, SETTING_LIST, "luns", .child = CONF_LUN, FIELD(struct conf_target, luns),
	  .help = "Its logical units." },
	{ CONF_TARGET, SETTING_LIST, "accounts", .child = CONF_ACCOUNT, FIELD(struct conf_target, accounts),
	  .help = "Who may log in, by CHAP." },
	{ CONF_TARGET, SETTING_LIST, "acls", .child = CONF_ACL, FIELD(struct conf_target, acls),
	  .help = "Which initiators are admitted, and what each sees; the first that matches counts." },
	{ CONF_TARGET, SETTING_BOOL, "open", "false", FIELD(struct conf_target, open),
	  .help = "Admit whoever reaches it; without accounts, acls and this, nobody is admitted." },
	{ CONF_TARGET, SETTING_BOOL, "single-initiator", "false", FIELD(struct conf_target, single_initiator),
	  .help = "Admit one initiator at a time; one that no longer answers makes room for the next." },
	{ CONF_TARGET, SETTING_UINT, "max-sessions", "0", .max = 1000000, FIELD(struct conf_target, max_sessions),
	  .help = "Sessions at one time; 0 is no limit." },
	{ CONF_TARGET, SETTING_GROUP, "redirect", .child = CONF_REDIRECT, FIELD(struct conf_target, redirect),
	  .help = "Send logins elsewhere." },
	{ CONF_TARGET, SETTING_GROUP, "iscsi", .child = CONF_ISCSI, FIELD(struct conf_target, iscsi),
	  .help = "What is offered in a login to this target; what is missing is as for all." },

	{ CONF_REDIRECT, SETTING_STRING, "address", .otherwise = "none", .min = 1, .max = ADDRESS_MAX - 1,
	  .check = address_target_wrong, FIELD(struct conf_redirect, address),
	  .help = "Where the target is now, as HOST or HOST:PORT, port 3260 without one; who logs in there stays." },
	{ CONF_REDIRECT, SETTING_BOOL, "permanent", "false", FIELD(struct conf_redirect, permanent),
	  .help = "Say that address is for good." },
	{ CONF_REDIRECT, SETTING_BOOL, "balance", "false", FIELD(struct conf_redirect, balance),
	  .help = "Send each login to the port group with the fewest sessions; not for initiators with several paths." },

	{ CONF_ACL, SETTING_NAMES, "initiators", .otherwise = "any", FIELD(struct conf_acl, initiators),
	  .help = "iSCSI names; * stands for any characters and ? for one." },
	{ CONF_ACL, SETTING_NAMES, "addresses", .otherwise = "any", FIELD(struct conf_acl, addresses),
	  .help = "IPv4 and IPv6 addresses, or ranges as ADDRESS/BITS." },
	{ CONF_ACL, SETTING_NAMES, "portals", .otherwise = "any", FIELD(struct conf_acl, portals),
	  .help = "Names of the portals they come through." },
	{ CONF_ACL, SETTING_BOOL, "read-only", "false", FIELD(struct conf_acl, read_only), .help = "Refuse their writes." },
	{ CONF_ACL, SETTING_LIST, "luns", .child = CONF_ACL_LUN, FIELD(struct conf_acl, luns),
	  .help = "The logical units they see; without any, all of them." },
	{ CONF_ACL_LUN, SETTING_UINT, "number", .max = LUN_MAX, .required = true, FIELD(struct conf_acl_lun, number),
	  .help = "Logical unit number, as these initiators see it." },
	{ CONF_ACL_LUN, SETTING_UINT, "lun", .max = LUN_MAX, .required = true, FIELD(struct conf_acl_lun, lun),
	  .help = "Its number in the target." },
	{ CONF_ACL_LUN, SETTING_BOOL, "read-only", "false", FIELD(struct conf_acl_lun, read_only),
	  .help = "Refuse their writes to it." },

	{ CONF_GROUP, SETTING_UINT, "tag", .min = 1, .max = 65535, .required = true, FIELD(struct conf_group, tag),
	  .help = "Target port group, and target portal group tag." },
	{ CONF_GROUP, SETTING_NAMES, "portals", .required = true, FIELD(struct conf_group, portals),
	  .help = "Names of its portals." },
	{ CONF_GROUP, SETTING_CHOICE, "state", "active-optimized", .choices = alua_states, FIELD(struct conf_group, state),
	  .help = "Asymmetric access state; a reload that changes it tells the initiators." },
	{ CONF_GROUP, SETTING_BOOL, "preferred", "false", FIELD(struct conf_group, preferred),
	  .help = "Say that this is the way to prefer." },

	{ CONF_LUN, SETTING_UINT, "number", .max = LUN_MAX, .required = true, FIELD(struct conf_lun, number),
	  .help = "Logical unit number." },
	{ CONF_LUN, SETTING_STRING, "plugin", .min = 1, .max = 64, .required = true, FIELD(struct conf_lun, plugin),
	  .help = "Plugin that holds the data." },
	{ CONF_LUN, SETTING_PLUGIN, "settings", .otherwise = "the plugin's defaults", FIELD(struct conf_lun, settings),
	  .help = "The plugin's own settings, as gotgt plugin show lists them." },
	{ CONF_LUN, SETTING_CHOICE, "block-size", .otherwise = "the device's", .unit = "bytes", .choices = block_sizes,
	  FIELD(struct conf_lun, block_size), .help = "Logical block size." },
	{ CONF_LUN, SETTING_SIZE, "physical-block-size", .otherwise = "the device's", .unit = "bytes", .min = 512,
	  .max = LUN_PHYSICAL_BLOCK_MAX, FIELD(struct conf_lun, physical_block_size),
	  .help = "Physical block size: a power of two, at least block-size." },
	{ CONF_LUN, SETTING_UINT, "alignment-offset", "0", .unit = "blocks", .max = LUN_ALIGNED_MAX,
	  FIELD(struct conf_lun, alignment_offset),
	  .help = "The first logical block that is the first one of a physical block." },
	{ CONF_LUN, SETTING_SIZE, "optimal-io-size", .otherwise = "the device's", .unit = "bytes", .min = 512,
	  .max = LUN_TRANSFER_MAX, FIELD(struct conf_lun, optimal_io_size),
	  .help = "What initiators should read or write at a time: a multiple of block-size." },
	{ CONF_LUN, SETTING_BOOL, "read-only", "false", FIELD(struct conf_lun, read_only), .help = "Refuse writes." },
	{ CONF_LUN, SETTING_BOOL, "thin", "true", FIELD(struct conf_lun, thin),
	  .help = "Say that blocks can be unmapped, when the device can." },
	{ CONF_LUN, SETTING_BOOL, "removable", "false", FIELD(struct conf_lun, removable),
	  .help = "Say that the medium is removable, and let initiators eject and load it." },
	{ CONF_LUN, SETTING_UINT, "io-timeout", "30", .unit = "seconds", .max = 3600, FIELD(struct conf_lun, io_timeout_s),
	  .help = "Time the plugin may take over one request before the initiator is told so; 0 is no limit." },
	{ CONF_LUN, SETTING_BOOL, "online", "true", FIELD(struct conf_lun, online),
	  .help = "Let initiators use it; false: it is there and answers NOT READY." },
	{ CONF_LUN, SETTING_STRING, "serial", .otherwise = "made from target and number", .min = 1, .max = 36,
	  .check = ascii_check, FIELD(struct conf_lun, serial), .help = "Unit serial number." },
	{ CONF_LUN, SETTING_STRING, "naa", .otherwise = "made from the serial", .min = 1, .max = 16, .check = naa_check,
	  FIELD(struct conf_lun, naa),
	  .help = "NAA identifier, which tells initiators what it is: 16 hexadecimal digits, the first 2, 3 or 5." },
	{ CONF_LUN, SETTING_STRING, "vendor", .otherwise = "GOTGT", .min = 1, .max = 8, .check = ascii_check,
	  FIELD(struct conf_lun, vendor), .help = "T10 vendor identification." },
	{ CONF_LUN, SETTING_STRING, "product", .otherwise = "VIRTUAL-DISK", .min = 1, .max = 16, .check = ascii_check,
	  FIELD(struct conf_lun, product), .help = "Product identification." },

	{ CONF_DISCOVERY, SETTING_LIST, "accounts", .child = CONF_ACCOUNT, FIELD(struct conf_discovery, accounts),
	  .help = "Who may ask what targets there are, by CHAP; without any, who reaches a portal may." },

	{ CONF_ACCOUNT, SETTING_STRING, "user", .min = 1, .max = 255, .check = utf8_check, .required = true,
	  FIELD(struct conf_account, user), .help = "CHAP_N of the initiator." },
	SECRETS("", secret, "The initiator's secret, 12 to 255 bytes; an account has one, here or elsewhere."),
	{ CONF_ACCOUNT, SETTING_STRING, "mutual-user", .otherwise = "none", .min = 1, .max = 255, .check = utf8_check,
	  FIELD(struct conf_account, mutual_user), .help = "CHAP_N of ours, for initiators that ask us to authenticate." },
	SECRETS("mutual-", mutual_secret, "Our secret, which is nobody else's; with mutual-user."),

	/* RFC 7143 13; their defaults are params_offered. */
	{ CONF_ISCSI, SETTING_UINT, "max-connections", .min = 1, .max = SESSION_CONNS_MAX, FIELD(struct params, max_connections),
	  .help = "MaxConnections: connections of one session." },
	{ CONF_ISCSI, SETTING_SIZE, "max-recv-data-segment-length", .unit = "bytes", .min = 512, .max = RECV_MAX,
	  FIELD(struct params, max_recv_dsl), .help = "MaxRecvDataSegmentLength: data accepted in one PDU." },
	{ CONF_ISCSI, SETTING_SIZE, "max-burst-length", .unit = "bytes", .min = 512, .max = 16777215,
	  FIELD(struct params, max_burst), .help = "MaxBurstLength: data asked for, or sent, in one sequence." },
	{ CONF_ISCSI, SETTING_SIZE, "first-burst-length", .unit = "bytes", .min = 512, .max = 16777215,
	  FIELD(struct params, first_burst),
	  .help = "FirstBurstLength: data a write may send unasked; at most max-burst-length." },
	{ CONF_ISCSI, SETTING_UINT, "max-outstanding-r2t", .min = 1, .max = R2T_MAX, FIELD(struct params, max_outstanding_r2t),
	  .help = "MaxOutstandingR2T: sequences of one write asked for at one time." },
	{ CONF_ISCSI, SETTING_BOOL, "initial-r2t", FIELD(struct params, initial_r2t),
	  .help = "InitialR2T: whether a write's data must be asked for." },
	{ CONF_ISCSI, SETTING_BOOL, "immediate-data", FIELD(struct params, immediate_data),
	  .help = "ImmediateData: whether a write's data may come with the command." },
	{ CONF_ISCSI, SETTING_CHOICE, "header-digest", .choices = digests, FIELD(struct params, header_digest),
	  .help = "HeaderDigest: CRC32C over headers; when allowed, the initiator chooses." },
	{ CONF_ISCSI, SETTING_CHOICE, "data-digest", .choices = digests, FIELD(struct params, data_digest),
	  .help = "DataDigest: CRC32C over data; when allowed, the initiator chooses." },
	{ CONF_ISCSI, SETTING_UINT, "time2wait", .unit = "seconds", .max = 3600, FIELD(struct params, time2wait),
	  .help = "DefaultTime2Wait: pause before a lost connection may come back." },
	{ CONF_ISCSI, SETTING_UINT, "time2retain", .unit = "seconds", .max = 3600, FIELD(struct params, time2retain),
	  .help = "DefaultTime2Retain: how long a lost connection's commands are kept." },
	{ .name = NULL },
};

static const struct {
	const char *name;
	size_t size;
	const void *base;	/* what an object starts from; NULL: zeroes */
} objects[CONF_OBJECTS] = {
	[CONF_TOP] = { "top level", sizeof(struct conf) },
	[CONF_LIMITS] = { "limits", sizeof(struct conf_limits) },
	[CONF_PORTAL] = { "portal", sizeof(struct conf_portal) },
	[CONF_TARGET] = { "target", sizeof(struct conf_target) },
	[CONF_GROUP] = { "port-group", sizeof(struct conf_group) },
	[CONF_LUN] = { "lun", sizeof(struct conf_lun) },
	[CONF_ACCOUNT] = { "account", sizeof(struct conf_account) },
	[CONF_ACL] = { "acl", sizeof(struct conf_acl) },
	[CONF_ACL_LUN] = { "acl-lun", sizeof(struct conf_acl_lun) },
	[CONF_DISCOVERY] = { "discovery", sizeof(struct conf_discovery) },
	[CONF_CONTROL] = { "control", sizeof(struct conf_control) },
	[CONF_LOG] = { "log-level", sizeof(struct conf_log) },
	[CONF_REDIRECT] = { "redirect", sizeof(struct conf_redirect) },
	[CONF_ISCSI] = { "iscsi", sizeof(struct params), &params_offered },
};

static inline uint32_t *u32(const struct setting *s, const void *obj)
{
	return setting_field(s, obj);
}

const struct setting *schema_next(enum conf_object object, const struct setting *after)
{
	const struct setting *s = after ? after + 1 : schema;

	while (s->name && s->object != object)
		s++;
	return s->name ? s : NULL;
}

const struct setting *schema_find(enum conf_object object, const char *name)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s)))
		if (g_str_equal(s->name, name))
			return s;
	return NULL;
}

const char *schema_object_name(enum conf_object object)
{
	return objects[object].name;
}

void schema_defaults(enum conf_object object, void *obj)
{
	const struct setting *s = NULL;

	if (objects[object].base)
		memcpy(obj, objects[object].base, objects[object].size);
	while ((s = schema_next(object, s))) {
		if (s->type == SETTING_GROUP)
			schema_defaults(s->child, setting_field(s, obj));
		else if (s->type == SETTING_LIST)
			*(GPtrArray **)setting_field(s, obj) = g_ptr_array_new();
		else if (s->fallback && !setting_parse(s, s->fallback, obj, NULL))
			g_error("default of %s", s->name);	/* the table is wrong */
	}
}

void schema_clear(enum conf_object object, void *obj)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s))) {
		void *f = setting_field(s, obj);

		switch (s->type) {
		case SETTING_GROUP:
			schema_clear(s->child, f);
			break;
		case SETTING_LIST:
			for (unsigned i = 0; i < (*(GPtrArray **)f)->len; i++)
				schema_free(s->child, g_ptr_array_index(*(GPtrArray **)f, i));
			g_ptr_array_unref(*(GPtrArray **)f);
			break;
		case SETTING_STRING:
			if (s->secret)
				vault_free(*(char **)f);
			else
				g_free(*(char **)f);
			break;
		case SETTING_PLUGIN:
			g_free(((struct conf_lun *)obj)->setting_lines);
			g_strfreev(*(char ***)f);
			break;
		case SETTING_NAMES:
			g_strfreev(*(char ***)f);
			break;
		default:
			break;
		}
	}
}

void *schema_new(enum conf_object object)
{
	void *obj = g_malloc0(objects[object].size);

	schema_defaults(object, obj);
	return obj;
}

void schema_free(enum conf_object object, void *obj)
{
	if (!obj)
		return;
	schema_clear(object, obj);
	g_free(obj);
}

static GPtrArray *list_copy(enum conf_object child, const GPtrArray *list)
{
	GPtrArray *copy = g_ptr_array_new();

	for (unsigned i = 0; i < list->len; i++)
		g_ptr_array_add(copy, schema_copy(child, list->pdata[i]));
	return copy;
}

static unsigned *lines_copy(const struct conf_lun *lun)
{
	size_t n = lun->setting_lines ? g_strv_length(lun->settings) / 2 : 0;
	unsigned *copy = n ? g_new(unsigned, n) : NULL;

	if (n)
		memcpy(copy, lun->setting_lines, n * sizeof *copy);
	return copy;
}

/* The settings of to, which has all bytes of from, get memory of their own. */
static void own_fields(enum conf_object object, void *to, const void *from)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s))) {
		void *f = setting_field(s, to);

		switch (s->type) {
		case SETTING_GROUP:
			own_fields(s->child, f, setting_field(s, from));
			break;
		case SETTING_LIST:
			*(GPtrArray **)f = list_copy(s->child, *(GPtrArray **)f);
			break;
		case SETTING_STRING:
			*(char **)f = s->secret ? vault_strdup(*(char **)f) : g_strdup(*(char **)f);
			break;
		case SETTING_PLUGIN:
			((struct conf_lun *)to)->setting_lines = lines_copy(from);
			*(char ***)f = g_strdupv(*(char ***)f);
			break;
		case SETTING_NAMES:
			*(char ***)f = g_strdupv(*(char ***)f);
			break;
		default:
			break;
		}
	}
}

void *schema_copy(enum conf_object object, const void *obj)
{
	void *copy = g_malloc(objects[object].size);

	memcpy(copy, obj, objects[object].size);
	own_fields(object, copy, obj);
	return copy;
}

static void forget_lists(enum conf_object object, void *obj);

static void forget_where(enum conf_object object, void *obj)
{
	*(struct conf_where *)obj = (struct conf_where){ 0 };
	forget_lists(object, obj);
}

static void forget_lists(enum conf_object object, void *obj)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s))) {
		void *f = setting_field(s, obj);

		if (s->type == SETTING_GROUP)
			forget_lists(s->child, f);
		else if (s->type == SETTING_PLUGIN)
			g_clear_pointer(&((struct conf_lun *)obj)->setting_lines, g_free);
		for (unsigned i = 0; s->type == SETTING_LIST && i < (*(GPtrArray **)f)->len; i++)
			forget_where(s->child, g_ptr_array_index(*(GPtrArray **)f, i));
	}
}

void *schema_dup(enum conf_object object, const void *obj)
{
	void *dup = schema_copy(object, obj);

	forget_where(object, dup);
	return dup;
}

static bool lists_equal(enum conf_object child, const GPtrArray *a, const GPtrArray *b)
{
	if (a->len != b->len)
		return false;
	for (unsigned i = 0; i < a->len; i++)
		if (!schema_equal(child, a->pdata[i], b->pdata[i]))
			return false;
	return true;
}

static bool names_equal(char **a, char **b)
{
	static char *none[] = { NULL };

	return g_strv_equal((const char *const *)(a ? a : none), (const char *const *)(b ? b : none));
}

bool setting_equal(const struct setting *s, const void *a, const void *b)
{
	const void *fa = setting_field(s, a), *fb = setting_field(s, b);

	switch (s->type) {
	case SETTING_GROUP:
		return schema_equal(s->child, fa, fb);
	case SETTING_LIST:
		return lists_equal(s->child, *(GPtrArray *const *)fa, *(GPtrArray *const *)fb);
	case SETTING_STRING:
		return g_strcmp0(*(char *const *)fa, *(char *const *)fb) == 0;
	case SETTING_NAMES:
	case SETTING_PLUGIN:
		return names_equal(*(char **const *)fa, *(char **const *)fb);
	default:
		return *u32(s, a) == *u32(s, b);
	}
}

bool schema_equal(enum conf_object object, const void *a, const void *b)
{
	const struct setting *s = NULL;

	while ((s = schema_next(object, s)))
		if (!setting_equal(s, a, b))
			return false;
	return true;
}
