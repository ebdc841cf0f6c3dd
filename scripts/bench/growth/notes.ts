// pure · what disturbed a row, in words.
// Must never be silent about something that makes a figure mean less than it seems to.
import { type CaseResult, type ClientsResult, COST_MODES } from './result.ts';

const NEARLY_FULL = 0.9;
const BUSY_SHARE = 0.9;
const FEW_PROBES = 0.9;

/** Notes on a row of servers or policies; none for one that nothing disturbed. */
export function notesOn(row: Omit<CaseResult, 'notes'>): string[] {
  return [
    ...sessionNotes(row),
    ...probeNotes(row),
    ...rotationNotes(row),
    ...loadNotes(row),
    ...trackedNotes(row),
    ...(row.arrangement === 'around'
      ? ['the proxy with six servers ran alone, before and after, because the probes alone are a load']
      : []),
  ];
}

// The kernel makes room by itself, so a full table means something only where something has failed.
function trackedNotes({ trackedShare, departures, costs }: Omit<CaseResult, 'notes'>): string[] {
  const hasFailed = departures > 0 || COST_MODES.some((mode) => costs[mode].failed > 0);
  if (trackedShare < NEARLY_FULL || !hasFailed) return [];
  return [
    `the kernel's table of tracked connections was ${percent(trackedShare)} full at the end: where it is full, connections fail (nf_conntrack_max)`,
  ];
}

function sessionNotes({ servers, sessions, openFiles }: Omit<CaseResult, 'notes'>): string[] {
  if (sessions >= servers) return [];
  return [
    `${sessions} of ${servers} servers kept a session, because the proxy may have ${openFiles} files open (ulimit -n): the others cost no heartbeats`,
  ];
}

function probeNotes({ servers, healthIntervalMs, idle }: Omit<CaseResult, 'notes'>): string[] {
  const due = (servers * 1000) / healthIntervalMs;
  const made = idle.probesPerSecond?.median ?? 0;
  // Of a few servers a window of a second may well miss one.
  if (servers < 50 || made >= due * FEW_PROBES) return [];
  return [`${Math.round(made)} probes a second were made of the ${Math.round(due)} that were due`];
}

function rotationNotes({ servers, readyServers, departures }: Omit<CaseResult, 'notes'>): string[] {
  if (departures === 0 && readyServers === servers) return [];
  return [
    `${departures} times a server left the rotation; at the end ${readyServers} of ${servers} were in it`,
  ];
}

function loadNotes({ costs }: Omit<CaseResult, 'notes'>): string[] {
  return COST_MODES.flatMap((mode) => {
    const { runsWithoutAnswer, failed, sixServersFailed, serversCpuShare, generatorCpuShare } = costs[mode];
    return [
      ...(runsWithoutAnswer > 0
        ? [`${mode}: in ${runsWithoutAnswer} runs not one request was answered`]
        : []),
      ...(failed > 0 ? [`${mode}: ${failed} requests were not answered right`] : []),
      ...(sixServersFailed > 0
        ? [`${mode}: ${sixServersFailed} requests to the proxy with six servers were not answered right`]
        : []),
      ...((generatorCpuShare?.median ?? 0) >= BUSY_SHARE
        ? [`${mode}: the generator was the bottleneck`]
        : []),
      ...((serversCpuShare?.median ?? 0) >= BUSY_SHARE
        ? [`${mode}: the stub servers took ${percent(serversCpuShare?.median ?? 0)} of a core`]
        : []),
    ];
  });
}

/** Notes on a row of idle clients. */
export function notesOnClients(
  { clients, connected }: Pick<ClientsResult, 'clients' | 'connected'>,
  isSettled: boolean,
): string[] {
  return [
    ...(connected < clients ? [`only ${connected} of ${clients} clients were connected`] : []),
    ...(isSettled ? [] : ['the resident memory had not come to rest']),
  ];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
