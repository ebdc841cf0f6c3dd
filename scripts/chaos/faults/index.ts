// seam · all faults by their kind.
import type { FaultKind } from '../plan.ts';
import { burn } from './burn.ts';
import { exit } from './exit.ts';
import type { Fault } from './fault.ts';
import { flap } from './flap.ts';
import { garble } from './garble.ts';
import { kill } from './kill.ts';
import { lie } from './lie.ts';
import { mute } from './mute.ts';
import { partition } from './partition.ts';
import { pause } from './pause.ts';
import { proxyKill } from './proxy-kill.ts';
import { proxyStop } from './proxy-stop.ts';
import { restart } from './restart.ts';
import { scale } from './scale.ts';
import { slow } from './slow.ts';
import { stop } from './stop.ts';
import { swap } from './swap.ts';

export const FAULTS: Readonly<Record<FaultKind, Fault>> = {
  kill,
  stop,
  restart,
  pause,
  flap,
  partition,
  slow,
  burn,
  lie,
  mute,
  garble,
  exit,
  swap,
  scale,
  'proxy-stop': proxyStop,
  'proxy-kill': proxyKill,
};
