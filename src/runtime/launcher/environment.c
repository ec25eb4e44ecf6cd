/* What of systemd's environment reaches the program, made right for the process that it ends up in. */
#include "launch.h"

static void add(const char *key, const char *value) {
    size_t length = strlen(key);
    if (!value) return;
    for (uint32_t i = 0; i < launch.environment_count; i++) {
        if (strncmp(launch.environment[i], key, length) == 0 && launch.environment[i][length] == '=') return;
    }
    must(asprintf(&launch.environment[launch.environment_count++], "%s=%s", key, value), STATUS_SYSTEM, "allocating for", key);
}

/* LISTEN_PID and WATCHDOG_PID name the process that may use them: inside a pid namespace that is another number. */
void complete_environment(void) {
    char self[16];
    snprintf(self, sizeof self, "%d", (int)getpid());
    if (launch.listen_fds && getenv("LISTEN_FDS")) add("LISTEN_PID", self), add("LISTEN_FDS", getenv("LISTEN_FDS")), add("LISTEN_FDNAMES", getenv("LISTEN_FDNAMES"));
    if (getenv("WATCHDOG_USEC")) add("WATCHDOG_PID", self), add("WATCHDOG_USEC", getenv("WATCHDOG_USEC"));
    add("INVOCATION_ID", getenv("INVOCATION_ID"));
    add("NOTIFY_SOCKET", launch.notify_path);
    add("CREDENTIALS_DIRECTORY", launch.credentials_path);
}

/* The sockets are ours only if LISTEN_PID says so; they stand at 3 and up. */
void count_listen_fds(void) {
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int fds = pid && count && strtol(pid, NULL, 10) == getpid() ? (int)strtol(count, NULL, 10) : 0;
    launch.listen_fds = fds > 0 && fds < 4096 ? fds : 0;
}
