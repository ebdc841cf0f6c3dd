// A name that a server has chosen, as the value of a label.
import { printable } from '../../shared/printable.ts';
import { OTHER } from './traffic.ts';

/**
 * Escapes what would steer the terminal of who reads a scrape. Backslashes are doubled, so that no two names become the
 * same label: a scrape that has a line twice is refused whole.
 */
export function labelOf(name: string): string {
  return printable(name.replaceAll('\\', '\\\\'));
}

/** The label of a policy, or of all others together: `other`, which the policy of that name is told apart from. */
export function policyLabel(policy: string): string {
  if (policy === OTHER) return 'other';
  return policy === 'other' ? '\\other' : labelOf(policy);
}
