// pure · how clients behave that take more than their share: those that never read, hold places, or only send refused packets.
import type { ClientLink, Expected, SimulatedClient } from './client.ts';

const DEAF_WRITES = 24;
const DEAF_REQUESTS = 20;
const DEAF_PAUSE_MS = 40;
/** How many connections a squatter wants. */
const PLACES_WANTED = 40;
const FLOOD_WRITES = 8;
const FLOOD_PACKETS = 40;
const FLOOD_PAUSE_MS = 15;
/** "100 refusals in a row", and what comes in the same read. */
const MAX_REFUSALS = 100 + FLOOD_PACKETS;

/** Sends request after request and reads nothing, until its connection is cut. */
export function beDeaf(client: SimulatedClient, isOver: () => boolean, done: () => void): void {
  const link = client.open();
  // It never learns what was due.
  link.hasVanished = true;
  link.endpoint.pause();
  client.watchDeaf(link);
  let writes = 0;
  const more = (): void => {
    writes += 1;
    if (link.isGone || writes > DEAF_WRITES || isOver()) {
      client.host.after(DEAF_PAUSE_MS * DEAF_WRITES, () => {
        link.vanish(true);
        done();
      });
      return;
    }
    const requests = Array.from({ length: DEAF_REQUESTS }, () => client.next());
    link.sendSized(
      requests.map(({ line }) => line),
      requests.map(({ expected }) => ({ ...expected, kind: 'any' as const })),
    );
    client.host.after(DEAF_PAUSE_MS, more);
  };
  more();
}

/** Opens connections until it holds as many as it wants, and looks again after a while. */
export function squat(client: SimulatedClient, done: () => void): void {
  let held = 0;
  for (const link of client.links) if (!link.isGone) held += 1;
  for (; held < PLACES_WANTED; held += 1) client.open().hasVanished = true;
  client.host.after(500, done);
}

/** Sends packets that are no requests, until it is cut off. */
export function flood(client: SimulatedClient, done: () => void): void {
  const { world } = client;
  const link = client.open();
  const due: Expected = { kind: 'any', payload: '', policy: '', sentMs: world.timeline.nowMs };
  let writes = 0;
  link.hasVanished = true;
  const end = (): void => {
    link.onProgress = () => {};
    if (!link.isGone) link.close();
    done();
  };
  const more = (): void => {
    if (link.isGone) {
      if (link.refused >= 100) world.reached('traits', 'a flood of refusals was cut off');
      end();
      return;
    }
    writes += 1;
    if (writes > FLOOD_WRITES) {
      end();
      return;
    }
    link.send(
      '{}\n'.repeat(FLOOD_PACKETS),
      Array.from({ length: FLOOD_PACKETS }, () => due),
    );
    client.host.after(FLOOD_PAUSE_MS, more);
  };
  link.onProgress = () => checkRefusals(client, link);
  more();
}

function checkRefusals({ world, host }: SimulatedClient, link: ClientLink): void {
  if (link.refused > MAX_REFUSALS)
    world.violate('who only sends what is refused is cut off', `${host.name} after ${link.refused} refusals`);
}
