// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * daemon.c - move a server to the background. The command forks before it opens the driver, because
 * a device belongs to the address space that opened its channel. The command waits for the server's
 * report and then exits. The server keeps the command's standard input, output and error until it
 * has reported that the device is live.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"

/**
 * daemon_fork() - split into the command and the server.
 * @fd: out: in the server the end of a pipe to write the report to, in the command the other end.
 *
 * Return: as fork(2), or a negative errno.
 */
int daemon_fork(int *fd)
{
	int pipes[2];
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int err = -errno;

		close(pipes[0]);
		close(pipes[1]);
		return err;
	}
	*fd = pipes[!pid];
	close(pipes[!!pid]);
	if (pid)
		return pid;

	setsid();
	/* @ tells systemd that file systems may need the server: systemd.io/ROOT_STORAGE_DAEMONS */
	if (*program_invocation_name)
		*program_invocation_name = '@';
	/*
	 * Close what the caller had open: a lock, for example, must not last as long as the server.
	 */
	if (dup2(*fd, STDERR_FILENO + 1) >= 0) {
		*fd = STDERR_FILENO + 1;
		close_range(*fd + 1, ~0U, 0);
	}
	return 0;
}

/**
 * daemon_wait() - in the command: read the report of @child.
 *
 * Return: 0; a negative errno if @child died without a report. @report then has the reason.
 */
int daemon_wait(pid_t child, int reader, struct report *report)
{
	ssize_t n;
	int status;

	do {
		n = read(reader, report, sizeof(*report));
	} while (n < 0 && errno == EINTR);
	close(reader);
	if (n == sizeof(*report))
		return 0;

	report->ret = -ECHILD;
	if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
		snprintf(report->text, sizeof(report->text),
			 "the server was killed by signal %d (%s)", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	else
		snprintf(report->text, sizeof(report->text), "the server exited unexpectedly");
	return report->ret;
}

/**
 * daemon_detach() - in the server: detach from the terminal and leave the working directory.
 */
void daemon_detach(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (chdir("/") || null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

/**
 * daemon_log() - a ubdx_log_fn for a server in the background: log to syslog, or to the kernel's
 * log if there is no syslog daemon.
 */
void daemon_log(void *arg, int priority, const char *text)
{
	char line[320];
	int fd, len;

	if (!access("/dev/log", W_OK)) {
		syslog(LOG_DAEMON | priority, "%s", text);
		return;
	}
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	len = snprintf(line, sizeof(line), "<%d>ubdx[%d]: %s\n", LOG_DAEMON | priority, getpid(),
		       text);
	if (write(fd, line, MIN(len, (int)sizeof(line) - 1)) < 0)
		syslog(LOG_DAEMON | priority, "%s", text);
	close(fd);
}
