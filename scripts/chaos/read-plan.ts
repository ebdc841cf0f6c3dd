// shell · a plan.json that is to be carried out again. Must never hand on what a run could trip over.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { UsageError } from '../../services/shared/config.ts';
import { FAULT_KINDS, type Plan } from './plan.ts';
import { whyImpossible } from './possible.ts';
import { findScenario, SCENARIOS } from './scenarios/index.ts';

const MAX_RUN_MS = 86_400_000;
const ms = z.number().int().min(0).max(MAX_RUN_MS);

const PLAN = z.strictObject({
  version: z.literal(1),
  scenario: z.string().refine((name) => findScenario(name) !== undefined, {
    error: `is not one of ${SCENARIOS.map(({ name }) => name).join(', ')}`,
  }),
  seed: z.number().int().min(0),
  rate: z.number().min(1).max(5_000),
  policies: z.array(z.string().regex(/^[123]$/)).min(1),
  serversPerPolicy: z.number().int().min(1).max(100),
  retryForMs: ms,
  settings: z.partialRecord(z.enum(['FAULTS', 'PROXY_VERIFY_ANSWERS']), z.enum(['0', '1'])),
  phases: z.strictObject({ warmUpMs: ms, controlMs: ms, faultsMs: ms, quietMs: ms, afterMs: ms }),
  faults: z.array(
    z.strictObject({
      id: z.number().int().min(1),
      kind: z.enum(FAULT_KINDS),
      targets: z.array(z.string().regex(/^(proxy-1|server-p[123](-\d{1,3})?)$/)).min(1),
      atMs: ms,
      forMs: ms,
      params: z.record(z.string(), z.number().min(0).max(60_000)),
    }),
  ),
});

/**
 * @param file path of a plan.json
 * @throws UsageError that names the field
 */
export async function readPlan(file: string): Promise<Plan> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file} can't be read (${error.code}): give the path of a plan.json of a report.`);
  });
  const parsed = PLAN.safeParse(parseJson(file, text));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0] as z.core.$ZodIssue;
    throw new UsageError(`${file} is not a plan: ${path.join('.') || 'the document'}: ${message}.`);
  }
  const plan = parsed.data as Plan;
  const problem = whyImpossible(plan);
  if (problem === null) return plan;
  throw new UsageError(`${file} can't be carried out: ${problem}.`);
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`${file} is not JSON: give the path of a plan.json of a report.`);
  }
}
