# Installs this peer into dist; ../install.sh runs it, here, with sh -eu.

python3 -m venv --clear .venv
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt

mkdir dist
cp app.py dist
.venv/bin/python -m compileall -q dist

# HOME keeps the SDK from the profile of whoever runs this. botocore knows a region
# by the second name only that Lambda gives it
# (https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html).
cat >dist/bootstrap <<'EOF'
#!/bin/sh
export HOME="${0%/*}"
exec "${0%/*}/../.venv/bin/python" -m awslambdaric app.handler
EOF
chmod +x dist/bootstrap

.venv/bin/python -c '
import platform
from importlib.metadata import version
names = ["aws-lambda-powertools", "boto3", "awslambdaric"]
print(f"powertools-python: python {platform.python_version()},", ", ".join(f"{name} {version(name)}" for name in names))
' >dist/versions.txt
