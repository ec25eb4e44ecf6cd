import { closeSync } from 'node:fs';
import { constants } from 'node:os';

import { bindLibc, checked, loadKoffi } from './libc.js';

const nativeSocket = bindLibc('int socket(int domain, int type, int protocol)');
const nativeConnect = bindLibc('int connect(int fd, const void *address, uint32_t length)');

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
/** `sizeof(struct sockaddr_un)`. */
const ADDRESS_BYTES = 110;

/**
 * Whether some program has the socket that an O_PATH descriptor is of: it listens there, or reads. Asked of datagrams, which the
 * kernel answers by the kind alone where connections are taken: nobody is connected to, and no service is woken. What cannot be
 * told counts as used.
 */
export function isSocketInUse(fd: number): boolean {
  const address = new Uint8Array(ADDRESS_BYTES);
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(Buffer.from(`/proc/self/fd/${fd}`), 2);
  const asking = checked(nativeSocket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    if (nativeConnect(asking, address, ADDRESS_BYTES) === 0) return true;
    return loadKoffi().errno() !== constants.errno.ECONNREFUSED;
  } finally {
    closeSync(asking);
  }
}
