# Installs this peer into dist; ../install.sh runs it, here, with sh -eu.

# Of all packages only Lambda's runtime client may run its scripts.
npm ci --loglevel=error --no-audit --no-fund --ignore-scripts
npm rebuild --loglevel=error --foreground-scripts aws-lambda-ric

# Twice: what Powertools' own example calls an optimized bundle, ES modules, also of
# the dependencies, and all of them inside
# (https://docs.aws.amazon.com/powertools/typescript/latest/upgrade/#esm-support,
# https://github.com/aws-powertools/powertools-lambda-typescript/blob/main/examples/app/cdk/example-stack.ts);
# and what esbuild makes for Node unless it is told otherwise.
node_modules/.bin/esbuild index.ts --bundle --minify --platform=node --target=node20 \
	--format=esm --main-fields=module,main --outfile=dist/index.mjs
node_modules/.bin/esbuild index.ts --bundle --minify --platform=node --target=node20 --outfile=dist/default/index.js

# HOME keeps the SDK from the profile of whoever runs this.
for folder in dist dist/default; do
	cat >$folder/bootstrap <<EOF
#!/bin/sh
export _HANDLER=index.handler HOME="\${0%/*}"
exec "$(command -v node)" "$PWD/node_modules/aws-lambda-ric/index.mjs"
EOF
	chmod +x $folder/bootstrap
done

node -p '
	const read = (file) => JSON.parse(fs.readFileSync(file));
	const own = read("package.json");
	const versions = Object.keys({ ...own.dependencies, ...own.devDependencies })
		.map((name) => `${name} ${read(`node_modules/${name}/package.json`).version}`);
	`powertools-node: node ${process.version}, ${versions.join(", ")}`' >dist/versions.txt
