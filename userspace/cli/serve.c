// SPDX-License-Identifier: MIT OR LGPL-2.1
/*
 * serve.c - run a server process, for the commands that start one: add and recover.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "cli.h"

static int print_added(const struct command *self, bool json, int id)
{
	if (!json) {
		printf("/dev/ubdxb%d\n", id);
		return fflush(stdout) ? cli_fail(self, "writing the output failed") : EXIT_SUCCESS;
	}
	return show_device(self, id, true);
}

/*
 * Delete a new device whose name could not be printed: the user doesn't know of it. The server
 * deletes the device on the first signal, and by force on the second. An ioctl would name the
 * device by its number, which another device can have by now.
 */
static void take_back(pid_t server)
{
	kill(server, SIGTERM);
	kill(server, SIGINT);
	waitpid(server, NULL, 0);
}

static int await_server(const struct serving *s, pid_t child, int fd)
{
	struct report report;
	int ret;

	if (daemon_wait(child, fd, &report) || report.ret)
		return cli_fail(s->self, "%s", report.text);
	ret = print_added(s->self, s->json, report.id);
	if (ret && s->is_new)
		take_back(child);
	return ret;
}

/* ---- in the server ---- */

static void log_stderr(void *arg, int priority, const char *text)
{
	fprintf(stderr, "ubdx: %s\n", text);
}

/* Log the library's messages like the command's own; s->log changes when the server detaches. */
static void log_current(void *arg, int priority, const char *text)
{
	const struct serving *s = arg;

	s->log(NULL, priority, text);
}

static void log_later(void *arg, int priority, const char *text)
{
	struct serving *s = arg;
	size_t used = strlen(s->warnings);

	snprintf(s->warnings + used, sizeof(s->warnings) - used, "%s\n", text);
}

static void log_now(struct serving *s)
{
	char *line, *rest = s->warnings;

	while ((line = strsep(&rest, "\n")) && *line)
		s->log(NULL, LOG_WARNING, line);
}

/* Block the signals before there are threads, so that no thread gets one. */
static int open_signals(void)
{
	sigset_t signals;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static int start_server(struct serving *s, struct ubdx_server **server)
{
	int ret;

	/*
	 * Check the control node first: opening the target can take seconds (FILE_WAIT_MS), and its
	 * error would hide that the driver isn't loaded.
	 */
	ret = ubdx_ctl_open();
	if (ret < 0)
		return ret;
	close(ret);
	ret = s->open_target(s);
	if (ret)
		return ret;
	mounts_leave();
	ubdx_process_prepare(log_later, s);
	s->opts.params = s->params;
	s->opts.log = log_current;
	s->opts.log_arg = s;
	ret = s->is_new ? ubdx_server_start(s->target, &s->opts, server) :
			  ubdx_server_recover(s->target, &s->opts, server);
	if (ret)
		ubdx_target_close(s->target);
	else
		log_now(s);
	return ret;
}

/*
 * Report that the device is live. A failure to report a new device is an error, because the user
 * doesn't know the device. A recovered device has users, so it is served nevertheless.
 */
static int report_live(struct serving *s, int id)
{
	const struct report report = { .id = id };
	int ret = 0;

	if (s->reporter < 0)
		ret = print_added(s->self, s->json, id);
	else if (write(s->reporter, &report, sizeof(report)) != sizeof(report))
		ret = -EPIPE;
	if (ret && s->is_new)
		return ret;
	if (s->reporter < 0)
		return 0;
	close(s->reporter);
	s->log = daemon_log;
	daemon_detach();
	return 0;
}

static int report_failure(struct serving *s, int err)
{
	struct report report = { .ret = err };

	if (s->reporter < 0)
		return cli_lib_fail(s->self);
	snprintf(report.text, sizeof(report.text), "%s", ubdx_errmsg());
	if (write(s->reporter, &report, sizeof(report)) < 0)
		return cli_lib_fail(s->self);
	return EXIT_FAILURE;
}

/*
 * At a shutdown SIGTERM comes before file systems are unmounted. So a device that is in use is
 * served until its last close. The second SIGTERM or SIGINT means force. SIGHUP never means force:
 * when a login session ends, systemd sends it together with SIGTERM.
 */
static void stop(struct serving *s, struct ubdx_server *server, unsigned int signal)
{
	bool asks = signal != SIGHUP;
	bool force = s->asked && asks;
	char text[192];
	int ret;

	s->asked |= asks;
	ret = ubdx_server_stop(server, force ? UBDX_CTL_FORCE : UBDX_CTL_LAST_CLOSE);
	if (ret == -EINPROGRESS)
		snprintf(text, sizeof(text),
			 "ubdxb%d is in use: serving it until it is closed or unmounted; a second "
			 "SIGTERM deletes it at once, and loses what is not yet written",
			 ubdx_server_id(server));
	else if (force && !ret)
		snprintf(text, sizeof(text), "ubdxb%d was in use; deleted by force",
			 ubdx_server_id(server));
	else if (ret && ret != -ENODEV)
		snprintf(text, sizeof(text), "stopping: %s", ubdx_errmsg());
	else
		return;
	s->log(NULL, LOG_WARNING, text);
}

/*
 * Wait until the queues' threads have left: the device was deleted, has failed, or has another
 * server.
 */
static void wait_for_end(struct serving *s, struct ubdx_server *server, int signals)
{
	struct pollfd fds[] = {
		{ .fd = ubdx_server_fd(server), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	struct signalfd_siginfo signal;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
			continue;
		if (fds[0].revents)
			return;
		if (fds[1].revents && read(signals, &signal, sizeof(signal)) == sizeof(signal))
			stop(s, server, signal.ssi_signo);
	}
}

static int serve(struct serving *s)
{
	int ret, signals = open_signals();
	struct ubdx_server *server;

	if (signals < 0)
		return report_failure(s, ubdx_fail(-errno, "asking for signals: %m"));
	ret = start_server(s, &server);
	if (ret)
		return report_failure(s, ret);
	ret = report_live(s, ubdx_server_id(server));
	if (!ret)
		wait_for_end(s, server, signals);
	if (ubdx_server_free(server))
		ret = EXIT_FAILURE;
	ubdx_target_close(s->target);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * serve_device() - serve a device until it is gone.
 * @s: the caller has set @self, @json, @is_new, @open_target and what that needs, and @opts.
 * @foreground: in this process; otherwise in a child, and the function returns when the device is
 *	live.
 *
 * Return: the exit status.
 */
int serve_device(struct serving *s, bool foreground)
{
	pid_t child;
	int fd;

	s->log = log_stderr;
	s->reporter = -1;
	if (foreground)
		return serve(s);
	child = daemon_fork(&fd);
	if (child < 0)
		return cli_fail(s->self, "starting a server: %s", strerror(-child));
	if (child)
		return await_server(s, child, fd);
	s->reporter = fd;
	return serve(s);
}
