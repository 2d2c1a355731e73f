/* SPDX-License-Identifier: Apache-2.0 */
/* rig.c - see rig.h */
#include "config.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "rig.h"

#define START_S 30
#define STOP_S 60
#define PORT 3260u

const char *rig_program, *rig_folder;
bool rig_sanitized;
unsigned rig_patience_s = 20;
int rig_pid;

/* An address of this process alone: nobody takes its port while the daemon is down, as the source of a connection neither. */
static uint32_t address;
static char *conf_path, *log_path, *socket_path, *conf_text;

/* ---- the daemon ---- */

static char *rig_address(void)
{
	return g_strdup_printf("%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

static void write_conf(void)
{
	g_autofree char *portal = rig_address();
	g_autofree char *text = g_strdup_printf("portals = ( { address = \"%s\"; port = %u; } );\n"
						"control: { socket = \"%s\"; };\nstate-dir = \"%s\";\n%s", portal, PORT,
						socket_path, rig_folder, conf_text);

	g_assert_true(g_file_set_contents(conf_path, text, -1, NULL));
}

static char *log_text(void)
{
	char *text = NULL;

	return g_file_get_contents(log_path, &text, NULL, NULL) ? text : g_strdup("");
}

bool rig_said(const char *what)
{
	g_autofree char *text = log_text();

	return strstr(text, what) != NULL;
}

static void show_log(void)
{
	g_autofree char *text = log_text();
	size_t len = strlen(text);

	g_test_message("%s", text + (len > 6000 ? len - 6000 : 0));
}

void rig_check_alive(void)
{
	int status;

	if (waitpid(rig_pid, &status, WNOHANG) == 0)
		return;
	show_log();
	g_error("the daemon has ended: 0x%x", (unsigned)status);
}

static void spawn(void)
{
	const char *argv[] = { rig_program, "daemon", "--config", conf_path, NULL };
	gint64 until = g_get_monotonic_time() + START_S * G_USEC_PER_SEC;
	int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);

	rig_pid = fork();
	if (!rig_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);	/* not to outlive a test that fails */
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		execv(argv[0], (char **)argv);
		_exit(127);
	}
	close(fd);
	while (!rig_ask("GET", "/healthz", NULL)) {
		rig_check_alive();
		g_assert_cmpint(g_get_monotonic_time(), <, until);
		g_usleep(10000);
	}
}

void rig_image(const char *name, size_t bytes)
{
	g_autofree char *path = g_build_filename(rig_folder, name, NULL);

	g_assert_true(g_file_set_contents(path, "", 0, NULL));
	g_assert_cmpint(truncate(path, (off_t)bytes), ==, 0);
}

void rig_start(const char *text)
{
	g_free(conf_path);
	g_free(log_path);
	g_free(socket_path);
	g_free(conf_text);
	conf_path = g_build_filename(rig_folder, "gotgt.conf", NULL);
	log_path = g_build_filename(rig_folder, "log", NULL);
	socket_path = g_build_filename(rig_folder, "sock", NULL);
	conf_text = g_strdup(text);
	address = 0x7f400000u | ((uint32_t)getpid() & 0x3fffff);
	write_conf();
	spawn();
}

void rig_restart(void)
{
	spawn();
}

void rig_reload(void)
{
	g_assert_cmpint(kill(rig_pid, SIGHUP), ==, 0);
}

void rig_stop(void)
{
	gint64 until = g_get_monotonic_time() + STOP_S * G_USEC_PER_SEC;
	int status, r;

	kill(rig_pid, SIGTERM);
	while ((r = waitpid(rig_pid, &status, WNOHANG)) == 0) {
		if (g_get_monotonic_time() > until)
			g_error("the daemon does not end");
		g_usleep(10000);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		show_log();
	g_assert_cmphex((unsigned)status, ==, 0);
}

void rig_kill(void)
{
	int status;

	kill(rig_pid, SIGKILL);
	g_assert_cmpint(waitpid(rig_pid, &status, 0), ==, rig_pid);
	g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

char *rig_portal(void)
{
	g_autofree char *portal = rig_address();

	return g_strdup_printf("%s:%u", portal, PORT);
}

/* ---- what it uses ---- */

size_t rig_rss_kib(void)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/status", rig_pid), *text = NULL;
	const char *at;

	if (!g_file_get_contents(path, &text, NULL, NULL) || !(at = strstr(text, "VmRSS:")))
		return 0;
	return (size_t)g_ascii_strtoull(at + strlen("VmRSS:"), NULL, 10);
}

unsigned rig_fds(void)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/fd", rig_pid);
	DIR *dir = opendir(path);
	unsigned n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n;
}

static void limit(int fd, unsigned seconds)
{
	struct timeval t = { .tv_sec = (time_t)seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
}

int rig_control(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(to.sun_path, socket_path, sizeof to.sun_path);
	limit(fd, rig_patience_s);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

unsigned rig_ask(const char *method, const char *path, const char *body)
{
	g_autofree char *all = g_strdup_printf("%s %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
					       "Content-Length: %zu\r\n\r\n%s", method, path, body ? strlen(body) : 0,
					       body ? body : "");
	char answer[64] = "", rest[4096];
	int fd = rig_control();
	unsigned status = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	if (send(fd, all, strlen(all), MSG_NOSIGNAL) == (ssize_t)strlen(all) &&
	    recv(fd, answer, sizeof answer - 1, MSG_WAITALL) > 12 && g_str_has_prefix(answer, "HTTP/1.1 "))
		status = (unsigned)atoi(answer + 9);
	do
		n = recv(fd, rest, sizeof rest, 0);
	while (n > 0);
	close(fd);
	return status;
}

/* ---- connections ---- */

static int connect_to_portal(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT),
				  .sin_addr.s_addr = htonl(address) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

/* What ini.c asks of a server. */
int server_connect(struct server *s)
{
	return server_connect_tcp(s);
}

int server_connect_tcp(struct server *s)
{
	int fd = connect_to_portal();

	g_assert_cmpint(fd, >=, 0);
	return fd;
}

int raw_connect(void)
{
	int fd = connect_to_portal();

	if (fd >= 0)
		limit(fd, 1);
	return fd;
}

bool raw_send(int fd, uint8_t bhs[BHS_LEN], const void *data, uint32_t len)
{
	uint8_t zeroes[3] = { 0 };
	struct iovec v[] = { { bhs, BHS_LEN }, { (void *)data, len }, { zeroes, pad4(len) - len } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 3 };

	put24(bhs + 5, len);
	return sendmsg(fd, &m, MSG_NOSIGNAL) == (ssize_t)(BHS_LEN + pad4(len));
}

bool raw_recv(int fd, uint8_t bhs[BHS_LEN])
{
	char rest[65536];
	uint32_t left;

	if (recv(fd, bhs, BHS_LEN, MSG_WAITALL) != BHS_LEN)
		return false;
	for (left = pad4(get24(bhs + 5)); left; ) {
		ssize_t n = recv(fd, rest, MIN(left, sizeof rest), 0);

		if (n <= 0)
			return false;
		left -= (uint32_t)n;
	}
	return true;
}

int raw_login(const char *target, uint8_t id, const char *extra)
{
	g_autofree char *text = g_strconcat("InitiatorName=" HOST ".bad;TargetName=", target, ";", extra, NULL);
	uint8_t bhs[BHS_LEN] = { OP_LOGIN_REQUEST | IMMEDIATE, OP_TO_FULL, [8] = 0x80, [13] = id };
	uint32_t len = (uint32_t)strlen(text);
	int fd = raw_connect();

	if (fd < 0)
		return -1;
	put32(bhs + 16, 1);
	put32(bhs + 24, 1);
	g_strdelimit(text, ";", '\0');
	if (raw_send(fd, bhs, text, len) && raw_recv(fd, bhs) && bhs[0] == OP_LOGIN_RESPONSE && !get16(bhs + 36))
		return fd;
	close(fd);
	return -1;
}

size_t raw_drain(int fd)
{
	char rest[65536];
	size_t all = 0;

	for (ssize_t n; (n = recv(fd, rest, sizeof rest, MSG_DONTWAIT)) > 0; )
		all += (size_t)n;
	return all;
}
