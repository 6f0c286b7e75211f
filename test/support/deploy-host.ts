/** A host that deploys one package: `deploy-host.ts <store> <zip>`. */
import { Deployer } from '../../src/deploy/deployer.js';
import { Registry } from '../../src/registry/registry.js';

const [, , root = '', zip = ''] = process.argv;
await using registry = await Registry.open(root, { durability: 'none' });
await using deployer = new Deployer({ registry });
await deployer.install(zip);
