// pure · whether servers that came back with each other's address are known under their own policy.

import { CannotTell } from '../../kit/verdict.ts';
import type { Recording } from '../journal.ts';
import type { FaultKind } from '../plan.ts';
import { type Criterion, criterion, moment, nameOf, plural } from './criterion.ts';
import { describeHit } from './detection.ts';
import { READMISSION_LIMIT_MS } from './limits.ts';
import { type Trouble, weigh } from './machine.ts';
import { type FaultHit, requireHits, requireServer, serverHitsOf } from './queries.ts';
import { overdue } from './readmission.ts';
import { wrongAnswers } from './replies.ts';
import { requestIndex } from './request-index.ts';
import { eventsOf, eventsOfServer, spanOfEvent } from './server-events.ts';

/** After an exchange of addresses each server is admitted under its own policy, and nobody got a wrong answer. */
export function swapped(kinds: readonly FaultKind[] = ['swap']): Criterion {
  const limit = 'every server admitted under its own policy, 0 wrong answers';
  return criterion('addresses exchanged', limit, (recording) => {
    eventsOf(recording);
    const hits = requireHits(serverHitsOf(recording, kinds), kinds);
    if (requestIndex(recording).sent.length === 0) throw new CannotTell('no request was sent');
    const wrong = wrongAnswers(recording);
    const troubles = hits.flatMap((each) => troubleOf(recording, each) ?? []);
    const unhealed = hits.filter(({ hit }) => hit.healedMs === null);
    const isBad = troubles.some(({ isStranger }) => isStranger) || wrong.length > 0;
    const { verdict, notes } = weigh(
      recording,
      troubles.map(({ trouble }) => trouble),
    );
    return {
      verdict: isBad ? 'fail' : verdict === 'pass' && unhealed.length > 0 ? 'unknown' : verdict,
      measured: `${hits.length - troubles.length} of ${plural(hits.length, 'server')} under its own policy, ${wrong.length} wrong answers`,
      n: hits.length,
      details: [
        ...notes,
        ...troubles.map(({ what }) => what),
        ...unhealed.map((each) => `${describeHit(each)}: never healed`),
      ],
    };
  });
}

type Misplaced = { what: string; isStranger: boolean; trouble: Trouble };

function troubleOf(recording: Recording, each: FaultHit): Misplaced | null {
  const { fromMs, healMs, healedMs } = each.hit;
  const { id, policy } = requireServer(each.hit);
  const admitted = eventsOfServer(recording, id).filter(
    ({ type, atMs }) => type === 'admitted' && atMs > (healMs ?? fromMs),
  );
  const stranger = admitted.find((event) => event.policy !== policy);
  const name = nameOf(recording, id);
  const toMs = recording.endedMs;
  if (stranger !== undefined) {
    const what = `${moment(stranger.atMs)}: ${name} admitted under policy ${stranger.policy}`;
    return { what, isStranger: true, trouble: spanOfEvent(stranger) };
  }
  if (admitted.length > 0 || healedMs === null) return null;
  const what = `${describeHit(each)}: ${name} not admitted again`;
  const trouble = overdue(each.hit, toMs, Math.max(0, toMs - healedMs - READMISSION_LIMIT_MS));
  return { what, isStranger: false, trouble };
}
