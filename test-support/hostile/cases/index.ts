// All cases, in the order of their rows.
import type { HostileCase } from '../case.ts';
import { poison } from './a1-poison.ts';
import { slipped } from './a2-slipped.ts';
import { numbers } from './b3-numbers.ts';
import { timeWait } from './c4-time-wait.ts';
import { descriptors } from './c5-descriptors.ts';
import { oldServers } from './d7-old-servers.ts';
import { nul } from './d8-nul.ts';
import { slow } from './e9-slow.ts';
import { neighbours } from './e10-neighbours.ts';
import { reused } from './e11-reused.ts';
import { fairness } from './f12-fairness.ts';
import { memory } from './f13-memory.ts';

export const CASES: readonly HostileCase[] = [
  ...poison,
  slipped,
  numbers,
  ...timeWait,
  ...descriptors,
  ...oldServers,
  nul,
  ...slow,
  ...neighbours,
  ...reused,
  ...fairness,
  ...memory,
];
