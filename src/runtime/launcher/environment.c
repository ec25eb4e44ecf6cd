/* What of systemd's environment reaches the program, made right for the process that it ends up in. */
#include "launch.h"

static const char *number_text(uint64_t number, char *end)
{
    *--end = 0;
    do *--end = (char)('0' + number % 10); while (number /= 10);
    return end;
}

static void add(const char *key, const char *value)
{
    size_t length = strlen(key);
    for (uint32_t i = 0; i < launch.environment_count; i++) {
        if (strncmp(launch.environment[i], key, length) == 0 && launch.environment[i][length] == '=') return;
    }
    char *entry = malloc(length + strlen(value) + 2);
    if (!entry) fail(STATUS_SYSTEM, "allocating for", key);
    stpcpy(stpcpy(stpcpy(entry, key), "="), value);
    launch.environment[launch.environment_count++] = entry;
}

/* LISTEN_PID and WATCHDOG_PID name the process that may use them: inside a pid namespace that is another number. */
void complete_environment(void)
{
    static const char *const passed[] = { "LISTEN_FDNAMES", "LISTEN_FDS", "WATCHDOG_USEC", "INVOCATION_ID" };
    char digits[24];
    const char *self = number_text((uint64_t)getpid(), digits + sizeof digits), *value;
    for (int i = launch.listen_fds ? 0 : 2; i < 4; i++) if ((value = getenv(passed[i]))) add(passed[i], value);
    if (launch.listen_fds) add("LISTEN_PID", self);
    if (getenv("WATCHDOG_USEC")) add("WATCHDOG_PID", self);
    if (launch.notify_path) add("NOTIFY_SOCKET", launch.notify_path);
    if (launch.credentials_path) add("CREDENTIALS_DIRECTORY", launch.credentials_path);
}

/* The sockets are ours only if LISTEN_PID says so; they stand at 3 and up. */
void count_listen_fds(void)
{
    char digits[24];
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    if (!pid || !count || strcmp(pid, number_text((uint64_t)getpid(), digits + sizeof digits)) != 0) return;
    for (; *count >= '0' && *count <= '9' && launch.listen_fds < 4096; count++) launch.listen_fds = launch.listen_fds * 10 + *count - '0';
}
