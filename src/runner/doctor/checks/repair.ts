import type { OperationOptions } from '../../../abort.js';
import { Deployer } from '../../../deploy/deployer.js';
import { Registry } from '../../../registry/registry.js';
import type { StoreLayout } from '../../../store/layout.js';

/** What `recover` does: one repair for all that dead processes leave in a store. */
export function repaired(layout: StoreLayout): (o?: OperationOptions) => Promise<void> {
  return async (o = {}) => {
    const registry = await Registry.open(layout, o);
    try {
      const deployer = new Deployer({ registry });
      try {
        const { skipped } = await deployer.recover(o);
        await registry.sweep(o);
        if (skipped[0]) throw skipped[0].error;
      } finally {
        await deployer.close();
      }
    } finally {
      await registry.close();
    }
  };
}
