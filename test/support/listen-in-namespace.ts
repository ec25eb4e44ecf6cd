import { createServer } from 'node:net';

// Run inside another network namespace: listens on its loopback, gives the socket to the parent and ends. A socket
// belongs to the namespace it was made in, so the parent then serves that namespace from its own.
const server = createServer();
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]) }, () => {
  process.send?.('listening', server, undefined, () => {
    process.disconnect();
    server.close();
  });
});
