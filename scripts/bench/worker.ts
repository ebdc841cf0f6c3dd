// shell · the measuring process: carries one order out, in whatever network it was started in. Started by in-worker.ts.
// Must never outlive the process that has started it, nor print: what it has to say are words.

import { onStopSignal } from '../../services/shared/signals.ts';
import { Failure } from '../kit/failure.ts';
import { measureGrowth } from './growth/index.ts';
import { measureSeries } from './series.ts';
import type { Order, Word } from './words.ts';

const stop = new AbortController();
const end = (): void => stop.abort(new Error('interrupted'));
onStopSignal(end);
process.once('disconnect', end);
process.once('message', (order: Order) => void obey(order));

async function obey(order: Order): Promise<void> {
  try {
    await carryOut(order);
    await say({ kind: 'done' });
  } catch (error) {
    const { message, stack = '' } = error as Error;
    const { next, tail, exitCode } =
      error instanceof Failure
        ? error
        : new Failure(message, 'That was not foreseen: the lines above say where.', { tail: stack });
    await say({ kind: 'failed', what: message, next, tail, exitCode });
  } finally {
    if (process.connected) process.disconnect();
  }
}

async function carryOut(order: Order): Promise<void> {
  const progress = {
    signal: stop.signal,
    phase: (text: string) => void say({ kind: 'phase', text }),
    line: (text: string) => void say({ kind: 'line', text }),
  };
  switch (order.kind) {
    case 'series': {
      const { plan, arena, seconds } = order;
      await measureSeries(plan, arena, seconds, (record) => void say({ kind: 'record', record }), progress);
      return;
    }
    case 'growth':
      await say({ kind: 'growth', result: await measureGrowth(order.programs, order.options, progress) });
      return;
    default:
      order satisfies never;
  }
}

// Whoever listened may be gone: then there is nobody left to tell.
function say(word: Word): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(word, undefined, {}, () => resolve());
    else resolve();
  });
}
