// Row D8: the NUL byte that ends a C string, behind a packet.
import { exactly, type HostileCase } from '../case.ts';
import { question } from '../client.ts';

export const nul: HostileCase = {
  name: 'd8-nul',
  about: 'A packet and a NUL byte in one write, from a client that reads once.',
  run: async (scene) => {
    const proxy = await scene.proxy();
    await scene.oldServer(proxy);
    const asked = question();
    const first = await scene.send(proxy, `${asked.line.trimEnd()}\0`);
    const objects = first.split('\n').filter((line) => line.startsWith('{'));
    // The connection has to stay of use behind it.
    const client = scene.client(proxy);
    const again = await client.ask({ ...asked, line: `${asked.line.trimEnd()}\0` });
    const next = await client.ask(question());
    const answered = [again, next].filter(({ outcome }) => outcome === 'ok').length;
    return [
      exactly(objects.length, 1, 'object in the first read', objects.length === 1 ? '' : shortened(first)),
      exactly(answered, 2, 'answered on one connection'),
    ];
  },
};

function shortened(text: string): string {
  return text.replaceAll('\n', ' ').slice(-80).trim();
}
