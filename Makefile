# Two commands do everything on a fresh machine: make run (needs Go) and
# make test (needs Go, Node 20 or later and Python 3.11 or later).

BOTS   := superman batman
GOARCH ?= arm64
tool   := go tool -modfile=integration/tools/go.mod
venv   := integration/moto/.venv
oracle := integration/twittertext

.PHONY: run test unit build bench simulate fuzz lint setup clean

run:
	@mkdir -p .local
	@go build -o .local/superbots ./cmd/superbots
	@exec .local/superbots dev

# The simulation runs a tenth of its histories under the race detector.
test: setup lint
	go test ./integration/simulation
	go test -race ./...

unit:
	go test ./functions/... ./pkg/... ./cmd/...

setup: $(venv)/.installed $(oracle)/node_modules/.installed

$(venv)/.installed: integration/moto/requirements.txt
	@command -v python3 >/dev/null || { echo "make test needs Python 3.11 or later: apt-get install python3 python3-venv, or https://www.python.org/downloads/"; exit 1; }
	python3 -m venv $(venv)
	$(venv)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(oracle)/node_modules/.installed: $(oracle)/package-lock.json
	@command -v npm >/dev/null || { echo "make test needs Node 20 or later with npm: apt-get install nodejs npm, or https://nodejs.org/"; exit 1; }
	npm ci --silent --no-audit --no-fund --ignore-scripts --prefix $(oracle)
	@touch $@

# The bytes of a zip depend on the sources alone: no paths, no times, no revision.
build: $(BOTS:%=dist/%.zip)

.PHONY: $(BOTS:%=dist/%.zip)
$(BOTS:%=dist/%.zip): dist/%.zip:
	GOOS=linux GOARCH=$(GOARCH) CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags lambda.norpc -ldflags '-s -w -buildid=' -o dist/$*/bootstrap ./functions/$*
	@$(tool) build-lambda-zip -o $@ dist/$*/bootstrap
	@ls -l $@

bench: build
	go test -run '^$$' -bench . -benchmem ./pkg/...
	cd integration/bench/config && go run .

SEEDS ?= 1000000
simulate:
	go test ./integration/simulation -run Simulation -seeds $(SEEDS) -v -timeout 0

fuzz:
	@for p in $$(go list ./pkg/...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$f\$$" -fuzztime 30s $$p || exit 1; \
		done; \
	done

lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	$(tool) staticcheck ./...

clean:
	rm -rf .local dist $(venv) $(oracle)/node_modules
