#define _GNU_SOURCE
#include "supervisor.h"

#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* Sockets of the bus, by inode: what is connected to it stays the bus wherever the descriptor goes. */
static ino_t bus_sockets[MAX_TASKS];
static size_t bus_sockets_length;

static bool read_memory(pid_t thread, unsigned long address, void *to, size_t size) {
  struct iovec local = {to, size}, remote = {(void *)address, size};
  return process_vm_readv(thread, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* A text of the traced process: page by page, because the next page may not be there. */
static bool read_text(pid_t thread, unsigned long address, char *to, size_t size) {
  size_t have = 0;
  while (have + 1 < size) {
    size_t piece = 4096 - (address + have) % 4096;
    if (piece > size - 1 - have) piece = size - 1 - have;
    if (!read_memory(thread, address + have, to + have, piece)) break;
    if (memchr(to + have, 0, piece) != NULL) return true;
    have += piece;
  }
  to[have] = 0;
  return have > 0;
}

static bool read_proc_link(pid_t thread, const char *what, char *to, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/%d/%s", thread, what);
  ssize_t length = readlink(link, to, size - 1);
  to[length < 0 ? 0 : length] = 0;
  return length >= 0;
}

static bool read_descriptor(pid_t thread, int fd, char *to, size_t size) {
  char what[32];
  if (fd == AT_FDCWD) return read_proc_link(thread, "cwd", to, size);
  snprintf(what, sizeof what, "fd/%d", fd);
  return read_proc_link(thread, what, to, size);
}

/* /proc/self/fd/N and what is below it, as berth pins folders: the place itself is what matters. */
static void resolve_pinned(pid_t thread, char *path, size_t size) {
  static const char *const prefixes[] = {"/proc/self/fd/", "/proc/thread-self/fd/", "/dev/fd/"};
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
    size_t length = strlen(prefixes[i]);
    if (strncmp(path, prefixes[i], length) != 0) continue;
    char *rest;
    long fd = strtol(path + length, &rest, 10);
    char place[MAX_PATH], whole[2 * MAX_PATH];
    if (!read_descriptor(thread, (int)fd, place, sizeof place)) return;
    snprintf(whole, sizeof whole, "%s%s", place, rest);
    snprintf(path, size, "%s", whole);
  }
}

static bool below(const char *path, const char *prefix) {
  size_t length = strlen(prefix);
  if (strcmp(prefix, "/") == 0) return path[0] == '/';
  return strncmp(path, prefix, length) == 0 && (path[length] == 0 || path[length] == '/');
}

static bool is_ours(const char *path, const struct options *options) {
  for (size_t i = 0; i < MAX_PREFIXES && options->exceptions[i] != NULL; i++)
    if (below(path, options->exceptions[i])) return false;
  for (size_t i = 0; i < MAX_PREFIXES && options->roots[i] != NULL; i++)
    if (below(path, options->roots[i])) return true;
  return false;
}

static ino_t socket_inode(pid_t thread, int fd) {
  char target[64];
  unsigned long inode = 0;
  if (read_descriptor(thread, fd, target, sizeof target)) sscanf(target, "socket:[%lu]", &inode);
  return inode;
}

static bool is_bus_socket(pid_t thread, int fd) {
  ino_t inode = socket_inode(thread, fd);
  for (size_t i = 0; inode != 0 && i < bus_sockets_length; i++)
    if (bus_sockets[i] == inode) return true;
  return false;
}

/* connect() to a socket of a bus, or of systemd itself. */
static bool connects_to_bus(const struct call *call) {
  struct sockaddr_un address = {0};
  size_t size = call->arguments[2] < sizeof address ? call->arguments[2] : sizeof address;
  if (!read_memory(call->thread, call->arguments[1], &address, size)) return false;
  if (address.sun_family != AF_UNIX) return false;
  char path[sizeof address.sun_path + 1] = {0};
  memcpy(path, address.sun_path, sizeof address.sun_path);
  if (strstr(path, "bus") == NULL && strcmp(path, "/run/systemd/private") != 0) return false;
  if (bus_sockets_length < MAX_TASKS)
    bus_sockets[bus_sockets_length++] = socket_inode(call->thread, (int)call->arguments[0]);
  return true;
}

bool only_reads(const struct call *call, const struct call_kind *kind) {
  __u64 flags;
  if (strcmp(kind->name, "openat2") != 0 || !read_memory(call->thread, call->arguments[2], &flags, sizeof flags))
    return false;
  return (flags & (O_CREAT | O_TRUNC | (__O_TMPFILE & ~O_DIRECTORY))) == 0;
}

static void append(char *text, size_t size, const char *more) {
  size_t length = strlen(text);
  snprintf(text + length, size - length, "%s%s", length == 0 ? "" : "\t", more);
}

bool describe_places(const struct call *call, const struct call_kind *kind, const struct options *options, char *text,
                     size_t size) {
  bool ours = kind->places[0] == 0;
  text[0] = 0;
  for (const char *place = kind->places; *place != 0; place += 2) {
    int index = place[1] - '0';
    unsigned long argument = call->arguments[index];
    char path[2 * MAX_PATH + 2] = "";
    switch (*place) {
    case 'S':
      if (!options->bus) return false;
      ours = kind->name[0] == 'c' ? connects_to_bus(call) : is_bus_socket(call->thread, (int)argument);
      append(text, size, "bus");
      continue;
    case 'F':
      if (options->bus && is_bus_socket(call->thread, (int)argument)) {
        append(text, size, "bus");
        ours = true;
        continue;
      }
      if (!read_descriptor(call->thread, (int)argument, path, sizeof path)) continue;
      break;
    default: {
      char name[MAX_PATH] = "", folder[MAX_PATH] = "";
      unsigned long address = *place == 'D' ? call->arguments[index + 1] : argument;
      if (address != 0 && !read_text(call->thread, address, name, sizeof name)) continue;
      int at = *place == 'D' ? (int)argument : AT_FDCWD;
      if (name[0] == '/') snprintf(path, sizeof path, "%s", name);
      else if (read_descriptor(call->thread, at, folder, sizeof folder))
        snprintf(path, sizeof path, name[0] == 0 ? "%s" : "%s/%s", folder, name);
      resolve_pinned(call->thread, path, sizeof path);
    }
    }
    ours |= is_ours(path, options);
    append(text, size, path);
  }
  for (char *byte = text; *byte != 0; byte++)
    if (*byte == '\n') *byte = '?';
  return ours;
}
