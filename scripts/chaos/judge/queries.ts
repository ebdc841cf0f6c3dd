// pure · what criteria ask of a recording: phases, hits, the windows of faults, and outages of the proxy.
// Must never judge.

import { CannotTell } from '../../kit/verdict.ts';
import type { FaultRecord, Hit, Phase, PhaseName, Recording, RequestRow, TableSample } from '../journal.ts';
import { type FaultKind, policyOf } from '../plan.ts';
import { plural } from './criterion.ts';
import { requestsIn } from './request-index.ts';

export type FaultHit = { fault: FaultRecord; hit: Hit };
export type Span = { fromMs: number; toMs: number };
type Attempt = { sentMs: number; endMs: number };

// A client's clock may see the proxy's end a little before the call that ends it was noted.
const BEFORE_OUTAGE_MS = 5;
// From when the proxy listens: its servers register again (2 s at most, and slack).
const AFTER_OUTAGE_MS = 2500;

/** A phase of the run. Throws `CannotTell` when there was none. */
export function phaseNamed(recording: Recording, name: PhaseName): Phase {
  const phase = recording.phases.find((each) => each.name === name);
  if (phase === undefined) throw new CannotTell(`no phase "${name}" was recorded`);
  return phase;
}

/** The requests sent that were due in a phase: its end belongs to the next one. */
export function requestsOfPhase(recording: Recording, { fromMs, toMs }: Phase): readonly RequestRow[] {
  return requestsIn(recording, fromMs, toMs).filter(({ dueMs }) => dueMs < toMs);
}

/** The end of the warm-up, before which nothing but loss is judged; `-Infinity` without one. */
export function warmUpEndMs({ phases }: Recording): number {
  return phases.find(({ name }) => name === 'warm-up')?.toMs ?? Number.NEGATIVE_INFINITY;
}

/** Whether a moment is judged for more than loss: neither in the warm-up nor before the load. */
export function isJudged(recording: Recording, atMs: number): boolean {
  return atMs >= Math.max(0, warmUpEndMs(recording));
}

/** All hits, or those of some kinds of fault, by time. */
export function hitsOf({ faults }: Recording, kinds?: readonly FaultKind[]): FaultHit[] {
  return faults
    .filter(({ kind }) => kinds === undefined || kinds.includes(kind))
    .flatMap((fault) => fault.hits.map((hit) => ({ fault, hit })))
    .sort((a, b) => a.hit.fromMs - b.hit.fromMs);
}

/** Those of them that hit a server. */
export function serverHitsOf(recording: Recording, kinds?: readonly FaultKind[]): FaultHit[] {
  return hitsOf(recording, kinds).filter(({ hit }) => !isProxyHit(hit));
}

/** Those of them whose fault is proven: of the others nobody knows what they did. */
export function provenHitsOf(recording: Recording, kinds?: readonly FaultKind[]): FaultHit[] {
  return serverHitsOf(recording, kinds).filter(({ fault }) => fault.isProven);
}

/** From when on a hit had happened for certain: what Docker took until then is not the proxy's. */
export function struckMsOf({ fault, hit }: FaultHit): number {
  return hit.struckMs ?? Math.max(hit.fromMs, fault.injectedMs);
}

/** Those of them that hit the proxy. */
export function proxyHitsOf(recording: Recording, kinds?: readonly FaultKind[]): FaultHit[] {
  return hitsOf(recording, kinds).filter(({ hit }) => isProxyHit(hit));
}

export function isProxyHit({ policy, target }: Hit): boolean {
  return policy === null && policyOf(target) === null;
}

/** Whether the hit was on this server, by its id or, where the hit has none, by the replica's name. */
export function isHitOn(recording: Recording, hit: Hit, serverId: string): boolean {
  return hit.serverId === null ? recording.names[serverId] === hit.target : hit.serverId === serverId;
}

/** The policies with a server that was hit; every policy when the proxy was. */
export function hitPolicies(recording: Recording): ReadonlySet<string> {
  if (proxyHitsOf(recording).length > 0) return new Set(recording.plan.policies);
  const policies = recording.faults.flatMap(policiesOfFault);
  return new Set(policies);
}

/** The policies of a fault's hits and targets; none for the proxy. */
export function policiesOfFault({ hits, targets }: FaultRecord): string[] {
  const policies = [...hits.map(({ policy }) => policy), ...targets.map(policyOf)];
  return [...new Set(policies.filter((policy) => policy !== null))];
}

/** From a fault's first call until it was healed, or until the end of the recording. */
export function windowOf(recording: Recording, fault: FaultRecord): Span {
  return { fromMs: fault.injectMs, toMs: fault.healedMs ?? fault.healMs ?? recording.endedMs };
}

/** From the first fault until the last is healed. Throws `CannotTell` when no fault was recorded. */
export function faultSpan(recording: Recording): Span {
  if (recording.faults.length === 0) throw new CannotTell('no fault was recorded');
  const windows = recording.faults.map((fault) => windowOf(recording, fault));
  return {
    fromMs: Math.min(...windows.map(({ fromMs }) => fromMs)),
    toMs: Math.max(...windows.map(({ toMs }) => toMs)),
  };
}

/** Hits of some kinds. Throws `CannotTell` when there were none. */
export function requireHits(hits: FaultHit[], what: readonly string[]): FaultHit[] {
  if (hits.length === 0) throw new CannotTell(`no fault of this kind hit anything: ${what.join(', ')}`);
  return hits;
}

/** The server that was hit. Throws `CannotTell` when nobody knows. */
export function requireServer({ serverId, policy, target }: Hit): { id: string; policy: string } {
  if (serverId === null || policy === null) throw new CannotTell(`nobody knows which server ${target} was`);
  return { id: serverId, policy };
}

/** Throws `CannotTell` when not one request was sent. */
export function requireRequests(rows: readonly RequestRow[], where: string): readonly RequestRow[] {
  if (rows.length === 0) throw new CannotTell(`no request ${where}`);
  return rows;
}

/** When the proxy was not there for its clients, with what it takes to come back. */
export function proxyOutages(recording: Recording): Span[] {
  return proxyHitsOf(recording).map((each) => ({
    fromMs: each.hit.fromMs - BEFORE_OUTAGE_MS,
    toMs: listensAgainMs(recording, each) + AFTER_OUTAGE_MS,
  }));
}

/** When the proxy listened again after a hit, and Docker's call had returned; `Infinity` when it never did. */
export function listensAgainMs(
  { listens }: Recording,
  { hit: { fromMs, healMs, healedMs } }: FaultHit,
): number {
  if (healedMs === null) return Number.POSITIVE_INFINITY;
  const listensMs = listens.find((atMs) => atMs >= (healMs ?? fromMs));
  return Math.max(healedMs, listensMs ?? healedMs);
}

/** Whether an attempt was under way at some moment of one of the spans. */
export function overlaps({ sentMs, endMs }: Attempt, spans: readonly Span[]): boolean {
  return spans.some(({ fromMs, toMs }) => sentMs <= toMs && endMs >= fromMs);
}

/** The last table sample at or before a moment. Throws `CannotTell` when there is none. */
export function tableAt({ tables }: Recording, atMs: number): TableSample {
  const sample = tables.findLast((each) => each.atMs <= atMs);
  if (sample === undefined) {
    throw new CannotTell(`the policy table was not seen by then (${plural(tables.length, 'sample')})`);
  }
  return sample;
}
