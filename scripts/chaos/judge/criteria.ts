// pure · every criterion that a scenario can be judged by, in one place for the scenarios' table.
// Must never hold a criterion itself.
export { answeredByAnother, outByTraffic } from './caught.ts';
export type { Criterion } from './criterion.ts';
export { detection } from './detection.ts';
export { evictionsAtMost, evictionsAtMostCrashes } from './eviction-rates.ts';
export { falseEvictions, noEviction } from './evictions.ts';
export { inTime } from './in-time.ts';
export { latencyOfOthers, othersUntouched } from './latency.ts';
export { DEATH_LIMIT_MS, DEATH_P95_LIMIT_MS, HANG_LIMIT_MS } from './limits.ts';
export { misrouted } from './misrouted.ts';
export { proxyKillLostInFlight, proxyStopNothingInFlightLost, proxyWhole } from './proxy.ts';
export { readmission, swapped } from './readmission.ts';
export { firstOkAfter, newServersServe } from './recovery.ts';
export {
  lostBound,
  noErrors,
  noLost,
  noServerOnly,
  noStray,
  noWrong,
} from './replies.ts';
export { backInRotation } from './rotation.ts';
export { steadyControl, steadyState, tested } from './tested.ts';
