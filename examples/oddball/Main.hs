-- | Sums long lists of random numbers, round after round, so that there is a heap to look at: lists that grow and go, big
-- and small integers, a deep stack. Each round is a marker, and its sum a message, in the eventlog.
--
-- > oddball [SECONDS]      ends with the first round after so many seconds; without, it goes on until it is killed
--
-- The eventlog is served at GHC_EVENTLOG_UNIX_PATH by the package eventlog-socket; nothing is summed before somebody reads it.
module Main (main) where

import Control.Concurrent (myThreadId, threadDelay)
import Control.Exception (evaluate)
import Control.Monad (unless)
import Data.Bits (shiftR, xor)
import Data.Maybe (fromMaybe)
import Data.Word (Word64)
import Debug.Trace (traceEventIO, traceMarkerIO)
import GHC.Clock (getMonotonicTime)
import GHC.Conc (labelThread)
import qualified GHC.Eventlog.Socket
import System.Environment (getArgs, lookupEnv)
import System.IO (BufferMode (LineBuffering), hSetBuffering, stdout)

main :: IO ()
main = do
  hSetBuffering stdout LineBuffering
  arguments <- getArgs
  path <- fromMaybe "/tmp/ghc-eventlog.sock" <$> lookupEnv "GHC_EVENTLOG_UNIX_PATH"
  putStrLn ("oddball: waits for a reader of its eventlog at " ++ path)
  GHC.Eventlog.Socket.startWait path
  putStrLn "oddball: somebody reads"
  myThreadId >>= (`labelThread` "sums")
  begin <- getMonotonicTime
  rounds (isOver begin arguments) [] (splitMix 44)

-- | Whether the time that the command line gives is over.
isOver :: Double -> [String] -> IO Bool
isOver begin (seconds : _) = (\now -> now - begin >= read seconds) <$> getMonotonicTime
isOver _ [] = pure False

-- | The list of the round before is kept until the next one has been summed: a heap that is full while nothing happens, too.
rounds :: IO Bool -> [Integer] -> [Word64] -> IO ()
rounds over before (size : numbers) = do
  let n = smallest + fromIntegral (size `mod` fromIntegral (largest - smallest + 1))
      list = map toInteger (take n numbers)
  traceMarkerIO ("Summing " ++ show n ++ " numbers")
  total <- evaluate (foldr (+) 0 list) -- from the right: a stack as deep as the list is long
  traceEventIO ("The sum is " ++ show total)
  putStrLn ("oddball: " ++ show n ++ " numbers, their sum is " ++ show total ++ "; " ++ show (length before) ++ " before")
  threadDelay 250000
  done <- over
  unless done (rounds over list (drop n numbers))
rounds _ _ [] = pure () -- they do not end

-- | How many numbers there are in a round. With these bounds the program takes up to about 170 MB.
smallest, largest :: Int
smallest = 1000
largest = 300000

-- | SplitMix64: random enough, and needs no package.
splitMix :: Word64 -> [Word64]
splitMix = map (mix 31 . (* 0x94d049bb133111eb) . mix 27 . (* 0xbf58476d1ce4e5b9) . mix 30) . tail . iterate (+ 0x9e3779b97f4a7c15)
  where
    mix n word = word `xor` (word `shiftR` n)
