/* The system's clocks, for one process, as ci/instructions.sh needs them: every reading is later than the one before by the same step, so
 * that what is done by the measured time is the same in every run. The step is STEADY_CLOCK_STEP, in nanoseconds.
 *
 * They read far ahead of the real ones: who sleeps until some reading of them does not wake before somebody wakes it. */
#include <stdlib.h>
#include <time.h>

static long long step = 100;
static long long reading = 4000000000LL * 1000000000LL;

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("STEADY_CLOCK_STEP");
    if (given != NULL) {
        step = atoll(given);
    }
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    long long next = __atomic_add_fetch(&reading, step, __ATOMIC_RELAXED);
    (void)clock;
    now->tv_sec = next / 1000000000;
    now->tv_nsec = next % 1000000000;
    return 0;
}
