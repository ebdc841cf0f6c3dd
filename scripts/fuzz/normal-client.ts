// shell · the normal client: one request after the other, over kept and fresh connections, while others attack the proxy.
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatRequest } from '../../services/shared/packet.ts';
import { Connection } from '../kit/proxy-connection.ts';

const PAUSE_MS = 5;
// Nothing else depends on it: a proxy that hangs is to be told from one that is slow on a busy machine.
const HANGS_AFTER_MS = 30_000;
// Many times those that are under way at once.
const OVERTAKEN_BY = 5000;
const CLIENT_ID = 'normal';
/** Every second one keeps its connection, the others take a fresh one for each request. */
const LANES = 4;

export type NormalTally = { requests: number; answered: number; slowestMs: number };

/**
 * Starts a client of `policy`, which has to have a server. That it waits too long is decided by how many others came to
 * their end meanwhile, not by the time: on a busy machine all of them wait.
 * @param ended     how many hostile connections have come to their end
 * @param onProblem called with each request that was not answered as it should be, in words
 * @returns its counts, and what makes it send no more and wait for what is open
 */
export function startNormalClient(
  port: number,
  policy: string,
  ended: () => number,
  onProblem: (problem: string) => void,
): { tally: NormalTally; stop: () => Promise<void> } {
  const tally: NormalTally = { requests: 0, answered: 0, slowestMs: 0 };
  let isStopping = false;
  type Lane = Connection<(reply: string) => void>;
  const settle = (lane: Lane, reply: string): void => {
    if (lane.carried === null) onProblem(`without having asked, it got ${reply}`);
    else lane.carried(reply);
    lane.carried = null;
  };
  const open = (): Lane =>
    new Connection(
      { host: '127.0.0.1', port },
      {
        opened: () => {},
        replied: settle,
        broke: (lane, reason) => settle(lane, `nothing: its connection ended (${reason})`),
      },
    );
  const ask = async (lane: Lane): Promise<void> => {
    tally.requests += 1;
    const payload = `normal ${tally.requests}`;
    const beganMs = performance.now();
    const endedBefore = ended();
    const { promise, resolve } = Promise.withResolvers<string>();
    const timer = setTimeout(resolve, HANGS_AFTER_MS, `nothing within ${HANGS_AFTER_MS} ms`);
    lane.carried = resolve;
    lane.send(formatRequest(CLIENT_ID, policy, payload));
    const reply = await promise;
    clearTimeout(timer);
    tally.slowestMs = Math.max(tally.slowestMs, performance.now() - beganMs);
    const overtaken = ended() - endedBefore;
    if (!isAnswer(reply, payload)) onProblem(`"${payload}" was answered with ${reply}`);
    else if (overtaken > OVERTAKEN_BY) onProblem(`"${payload}" was answered behind ${overtaken} others`);
    else tally.answered += 1;
  };
  const run = async (isKept: boolean): Promise<void> => {
    let lane = open();
    while (!isStopping) {
      await ask(lane);
      await sleep(PAUSE_MS);
      if (isKept) continue;
      lane.close();
      lane = open();
    }
    lane.close();
  };
  const lanes = Promise.all(Array.from({ length: LANES }, (_, lane) => run(lane % 2 === 0)));
  const stop = async (): Promise<void> => {
    isStopping = true;
    await lanes;
  };
  return { tally, stop };
}

function isAnswer(text: string, payload: string): boolean {
  if (!text.startsWith('{')) return false;
  const { type, destid, payload: digest } = JSON.parse(text) as Record<string, unknown>;
  return type === 2 && destid === CLIENT_ID && digest === hash('sha1', payload);
}
