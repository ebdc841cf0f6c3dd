// shell · a server that answers as it should, with the shortest accept queue there is.
// Must never be used for anything but freezing: its queue fills at once.
import { hash } from 'node:crypto';
import net from 'node:net';

const server = net.createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    const { srcid, payload } = JSON.parse(chunk.toString());
    socket.end(JSON.stringify({ type: 2, srcid: 1, destid: srcid, payload: hash('sha1', payload) }));
  });
});
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
  const address = server.address();
  console.log(`listening on ${typeof address === 'object' ? address?.port : address}`);
});
