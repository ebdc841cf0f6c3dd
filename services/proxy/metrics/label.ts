// A name that a server has chosen, as the value of a label.
import { printable } from '../../shared/printable.ts';

/**
 * Escapes what would steer the terminal of who reads a scrape. Backslashes are doubled, so that no two names become the
 * same label: a scrape that has a line twice is refused whole.
 */
export function labelOf(name: string): string {
  return printable(name.replaceAll('\\', '\\\\'));
}
