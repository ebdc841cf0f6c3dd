// Row A1: one request that takes down each server that reads it.
import { atMost, type Check, exactly, type HostileCase } from '../case.ts';
import { question } from '../client.ts';
import type { Scene } from '../scene.ts';

const SERVERS = 6;
const NESTED = 3_900;
const HEAD = '"type":0,"srcid":1,"privPoliId":"1","payloadsize":3';

const SURROGATE = `{${HEAD},"payload":"\\ud800"}`;
const NESTING = `{${HEAD},"payload":"abc","more":${'['.repeat(NESTED)}${']'.repeat(NESTED)}}`;
// 1,024 characters in 6.2 KB: legal, and more than an old server's one read takes.
const ESCAPED = `{${HEAD},"payload":"${'\\u0041'.repeat(1024)}"}`;

export const poison: readonly HostileCase[] = [
  {
    name: 'a1-surrogate',
    about: 'A payload that is half a surrogate pair, towards six one-thread servers that die of it.',
    run: (scene) => poisoned(scene, SURROGATE, true),
  },
  {
    name: 'a1-nested',
    about: '3,900 nested arrays in an unknown field, towards six one-thread servers that die of it.',
    run: (scene) => poisoned(scene, NESTING, true),
  },
  {
    name: 'a1-long-escapes',
    about: 'A legal packet of 6.2 KB, towards six servers that read 2 KB once and die of the half.',
    run: (scene) => poisoned(scene, ESCAPED, false),
  },
];

async function poisoned(scene: Scene, packet: string, isRefused: boolean): Promise<Check[]> {
  const proxy = await scene.proxy();
  const ports = await Promise.all(Array.from({ length: SERVERS }, () => scene.oldServer(proxy)));
  const reply = JSON.parse(await scene.send(proxy, packet)) as { code?: string };
  const { outcome } = await scene.client(proxy).ask(question());
  const checks = [
    atMost(await scene.dead(ports), isRefused ? 0 : 2, `of ${SERVERS} servers dead`),
    exactly(outcome === 'ok' ? 1 : 0, 1, 'good request answered', outcome === 'ok' ? '' : outcome),
  ];
  if (!isRefused) return checks;
  return [{ seen: `reply ${reply.code}`, bar: 'BAD_PACKET', holds: reply.code === 'BAD_PACKET' }, ...checks];
}
