// pure · what a person writes for the status listener's address → a URL. Must never guess at what is no address.
import { UsageError } from '../../services/shared/config.ts';

/**
 * `localhost:10080` is as good as `http://localhost:10080`.
 * @throws UsageError when it is no address
 */
export function parseAdminAddress(text: string): string {
  const url = /^\d*$/.test(text) ? null : URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url?.protocol !== 'http:') {
    throw new UsageError(`--admin is "${text}": it must be host:port, for example 127.0.0.1:10080.`);
  }
  return url.origin;
}
