// The cause of an event and what it was decided from, in words; the command line has the same.
import type { ClusterEvent } from './contract.ts';
import { count, duration, ordinal } from './words.ts';

/** `probe-timeout, after request-failed; 2 probes in a row; …`: the cause as its key, then the evidence. */
export function causeInWords({
  cause,
  evidence,
  atMs,
}: Pick<ClusterEvent, 'cause' | 'evidence' | 'atMs'>): string {
  const { before, probesInARow, session, failure, request, failedInARow, failed, of } = evidence;
  const { wrongAnswers, ejections, penaltyMs, waitedMs, address, by, reason, probes = [] } = evidence;
  const words = [
    before === undefined ? cause : `${cause}, after ${before}`,
    probesInARow !== undefined && `${count(probesInARow, 'probe')} in a row`,
    session,
    failure !== undefined && `request failed: ${failure}`,
    request !== undefined && `request ${request}`,
    failedInARow !== undefined && `${count(failedInARow, 'failed request')} in a row`,
    of !== undefined && `${failed} of ${of} requests failed`,
    wrongAnswers !== undefined && count(wrongAnswers, 'wrong answer'),
    ejections !== undefined &&
      penaltyMs !== undefined &&
      `${ordinal(ejections)} ejection, for ${duration(penaltyMs)}`,
    waitedMs !== undefined && `waited ${duration(waitedMs)}`,
    address,
    by !== undefined && `by ${by}${reason === undefined || reason === '' ? '' : `, ${reason}`}`,
    ...probes.map((probe) => {
      const detail = probe.detail === '' ? '' : ` (${probe.detail})`;
      return `probe ${duration(atMs - probe.atMs)} before: ${probe.outcome}${detail}`;
    }),
  ];
  return words.filter((word) => typeof word === 'string').join('; ');
}
