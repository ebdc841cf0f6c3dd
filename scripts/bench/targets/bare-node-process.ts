// The least that a Node process can do for each request, with the proxy's own sockets: read, look up, write. It forwards
// nothing. Started by bare-node.ts.
import { hash } from 'node:crypto';
import type { Connection, Receiver } from '../../../services/proxy/network/network.ts';
import { systemNetwork } from '../../../services/proxy/network/system-network.ts';
import { formatAnswer, parsePacket } from '../../../services/shared/packet.ts';

const SOCKETS = 8;
const HOST = '127.0.0.1';
const SERVER_ID = 0;

// The generator repeats itself after a few requests for each policy.
const answers = new Map<string, string>();

function receiverOf(connection: Connection): Receiver {
  return {
    onRead(chunk) {
      const text = chunk.toString('latin1');
      const answer = answers.get(text) ?? answerTo(text);
      if (answer === null) connection.destroy();
      else connection.write(answer, 'latin1');
    },
    onEnd: () => connection.destroy(),
    onDrain() {},
    onClose() {},
  };
}

// Null for whatever is not one whole request.
function answerTo(text: string): string | null {
  const packet = parsePacket(text);
  if (packet.kind !== 'request') return null;
  const answer = formatAnswer(SERVER_ID, packet.clientId, hash('sha1', packet.payload));
  answers.set(text, answer);
  return answer;
}

const port = Number(process.argv[2]);
for (let opened = 0; opened < SOCKETS; opened += 1) {
  await systemNetwork.listen(HOST, port, true, receiverOf);
}
console.log('ready');
