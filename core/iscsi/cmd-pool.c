/* SPDX-License-Identifier: Apache-2.0 */
/* cmd-pool.c - the memory of commands: their structures are reused, their buffers counted. */
#include "config.h"
#include "engine/lines.h"
#include "iscsi/cmd.h"
#include "iscsi/count.h"

/* What one session's commands may hold before new ones are told TASK SET FULL; one more may go over. */
#define BUFFERED_MAX (64u << 20)

static void hold(struct session *s, size_t more, size_t less)
{
	struct node_memory *m;

	if (more == less)
		return;
	m = &s->node->memory[reactor_index(s->reactor)];
	m->sessions += !s->buffered;
	s->buffered += more - less;
	m->bytes += more - less;
	m->sessions -= !s->buffered;
}

void cmd_charge(struct cmd *cmd)
{
	uint32_t now = cmd->task.buf ? cmd->task.buf->size : 0;

	hold(cmd->session, now, cmd->buffered);
	cmd->buffered = now;
}

void cmd_uncharge(struct cmd *cmd, struct session *s)
{
	hold(s, 0, cmd->buffered);
	cmd->buffered = 0;
}

bool cmd_holds_too_much(const struct session *s)
{
	const struct node *n = s->node;
	const struct node_memory *m;
	size_t max;

	if (!s->buffered)
		return false;
	m = &n->memory[reactor_index(s->reactor)];
	max = n->max_memory / n->engine->n_reactors;
	return s->buffered > BUFFERED_MAX || (m->bytes > max && s->buffered > max / m->sessions);
}

/* ---- one list a reactor, touched by it alone ---- */

struct cmd *cmd_get(struct session *s)
{
	struct cmd **list = &s->node->free_cmds[reactor_index(s->reactor)];
	struct cmd *cmd = *list;

	if (cmd)
		*list = cmd->next;
	else
		cmd = lines_new0(sizeof *cmd);
	memset(cmd, 0, offsetof(struct cmd, task));
	cmd->session = s;
	atomic_store_explicit(&s->n_cmds, s->n_cmds + 1, memory_order_relaxed);
	return cmd;
}

void cmd_put(struct cmd *cmd)
{
	struct session *s = cmd->session;
	struct cmd **list = &s->node->free_cmds[reactor_index(s->reactor)];

	count_end(cmd);
	task_release(&cmd->task);
	cmd_uncharge(cmd, s);
	cmd->next = *list;
	*list = cmd;
	atomic_store_explicit(&s->n_cmds, s->n_cmds - 1, memory_order_relaxed);
	session_cmd_gone(s);
}

void cmd_pool_free(struct cmd *list)
{
	while (list) {
		struct cmd *next = list->next;

		free(list);
		list = next;
	}
}
