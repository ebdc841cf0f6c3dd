// pure · every criterion that a scenario can be judged by, in one place for the scenarios' table.

export { answeredByAnother, detection, outByTraffic } from './detection.ts';
export { evictionsAtMost, evictionsAtMostCrashes, falseEvictions, noEviction } from './evictions.ts';
export type { Criterion } from './judge.ts';
export { latencyOfOthers, othersUntouched } from './latency.ts';
export { DEATH_LIMIT_MS, DEATH_P95_LIMIT_MS, HANG_LIMIT_MS } from './limits.ts';
export { misrouted } from './misrouted.ts';
export { proxyKillLostInFlight, proxyStopNothingInFlightLost, proxyWhole } from './proxy.ts';
export { firstOkAfter, newServersServe, readmission, swapped } from './recovery.ts';
export { inTime, noErrors, noLost, noServerOnly, noStray, noWrong } from './replies.ts';
export { backInRotation, steadyControl, steadyState, tested } from './steady.ts';
