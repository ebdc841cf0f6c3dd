// Loaded into the proxy before it starts (`node --import`): takes a CPU profile between two messages.
import { Session } from 'node:inspector/promises';

/** The first message starts the profile, the second one has it sent back. */
export type ProfilerOrder = { kind: 'start'; sampleEveryUs: number } | { kind: 'stop' };

const session = new Session();
session.connect();
await session.post('Profiler.enable');
process.on('message', async (order: ProfilerOrder) => {
  if (order.kind === 'stop') {
    process.send?.((await session.post('Profiler.stop')).profile);
    return;
  }
  await session.post('Profiler.setSamplingInterval', { interval: order.sampleEveryUs });
  await session.post('Profiler.start');
});
process.channel?.unref();
