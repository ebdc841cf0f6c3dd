// Where everything of the picture is, in pixels: clients, proxy, policies and servers from left to right.
import type { Policy, Server } from '../model/contract.ts';
import { keyOf } from '../model/rows.ts';

export type Box = { x: number; y: number; width: number; height: number };
export type Point = readonly [x: number, y: number];

export type Layout = {
  height: number;
  clients: Box;
  proxy: Box;
  policies: Map<string, Box>;
  servers: Map<string, Box>;
};

const MARGIN = 18;
const CLIENTS = { width: 122, height: 66 };
const PROXY = { width: 148, height: 104 };
const POLICY = { width: 144, height: 68 };
const SERVER_HEIGHT = 27;
const BETWEEN_POLICIES = 20;
const LEAST_HEIGHT = 300;
const MANY_SERVERS = 24;

/** @param width of the picture; at least 620 */
export function layOut(policies: readonly Policy[], width: number): Layout {
  const serverWidth = Math.max(180, Math.round(width * 0.258));
  const gap = (width - 2 * MARGIN - CLIENTS.width - PROXY.width - POLICY.width - serverWidth) / 3;
  const proxyX = MARGIN + CLIENTS.width + gap;
  const policyX = proxyX + PROXY.width + gap;
  const serverX = width - MARGIN - serverWidth;
  const total = policies.reduce((sum, { servers }) => sum + servers.length, 0);
  const pitch = total > MANY_SERVERS ? 24 : 29;
  const heights = policies.map(({ servers }) => Math.max(servers.length * pitch, POLICY.height));
  const needed =
    heights.reduce((sum, height) => sum + height, 0) + BETWEEN_POLICIES * Math.max(0, policies.length - 1);
  const height = Math.max(LEAST_HEIGHT, needed + 16);
  const layout: Layout = {
    height,
    clients: { x: MARGIN, y: (height - CLIENTS.height) / 2, ...CLIENTS },
    proxy: { x: proxyX, y: (height - PROXY.height) / 2, ...PROXY },
    policies: new Map(),
    servers: new Map(),
  };
  let top = (height - needed) / 2;
  for (const [at, policy] of policies.entries()) {
    const groupHeight = heights[at] ?? POLICY.height;
    layout.policies.set(policy.policy, { x: policyX, y: top + (groupHeight - POLICY.height) / 2, ...POLICY });
    const first = top + (groupHeight - policy.servers.length * pitch) / 2 + (pitch - SERVER_HEIGHT) / 2;
    placeServers(
      layout,
      policy.servers,
      { x: serverX, y: first, width: serverWidth, height: Math.min(SERVER_HEIGHT, pitch - 2) },
      pitch,
    );
    top += groupHeight + BETWEEN_POLICIES;
  }
  return layout;
}

function placeServers(layout: Layout, servers: readonly Server[], first: Box, pitch: number): void {
  for (const [at, server] of servers.entries()) {
    layout.servers.set(keyOf(server), { ...first, y: first.y + at * pitch });
  }
}

export const right = ({ x, y, width, height }: Box): Point => [x + width, y + height / 2];
export const left = ({ x, y, height }: Box): Point => [x, y + height / 2];

/** A curve that leaves and arrives level, as an SVG path. */
export function curve([x1, y1]: Point, [x2, y2]: Point): string {
  const middle = (x1 + x2) / 2;
  return `M${x1.toFixed(1)} ${y1.toFixed(1)}C${middle.toFixed(1)} ${y1.toFixed(1)} ${middle.toFixed(1)} ${y2.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;
}

/** The same curve as points, for what moves along it. */
export function pointsAlong([x1, y1]: Point, [x2, y2]: Point): Point[] {
  if (y1 === y2)
    return [
      [x1, y1],
      [x2, y2],
    ];
  const middle = (x1 + x2) / 2;
  const steps = 8;
  return Array.from({ length: steps + 1 }, (_, at) => {
    const t = at / steps;
    const [a, b, c, d] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t ** 2 * (1 - t), t ** 3];
    return [a * x1 + b * middle + c * middle + d * x2, a * y1 + b * y1 + c * y2 + d * y2] as const;
  });
}

/** How wide a stream is drawn: by the root of its share of all requests. */
export function streamWidth(perS: number, allPerS: number): number {
  if (perS <= 0 || allPerS <= 0) return 1;
  return 1.5 + 7.5 * Math.sqrt(perS / allPerS);
}
